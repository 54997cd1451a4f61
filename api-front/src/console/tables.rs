//! Rules and routing: the table in force, a draft of the next one, what it would change, and putting it in force.

use super::act::{Form, NotDone};
use super::diff::{Line, diff};
use super::draft::{Draft, Edit};
use super::draft_form::{Choices, Offers, entries};
use super::session::{Role, Viewer};
use super::{Console, figures, page};
use crate::operator::changes::{NotMade, Order};
use crate::operator::{DRY_RUN_PAYMENTS, DRY_RUN_PAYMENTS_MAX, TableKind, dry_run};
use crate::replay::{Decision, Report};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use protocol::money::Currency;

/// Over how many payments a draft can be tried.
const SPANS: [u32; 4] = [100, DRY_RUN_PAYMENTS, 10_000, DRY_RUN_PAYMENTS_MAX];

/// What a draft would have done, or why it can't be one.
struct Tried {
    verdict: Result<Report, String>,
}

/// `GET /console/rules`
pub(super) async fn rules(State(console): State<Console>, headers: HeaderMap) -> Response {
    console.table(&headers, TableKind::Rules).await
}

/// `GET /console/routing`
pub(super) async fn routes(State(console): State<Console>, headers: HeaderMap) -> Response {
    console.table(&headers, TableKind::Routes).await
}

/// `POST /console/rules`
pub(super) async fn draft_rules(State(console): State<Console>, request: Request) -> Response {
    console.draft(request, TableKind::Rules).await
}

/// `POST /console/routing`
pub(super) async fn draft_routes(State(console): State<Console>, request: Request) -> Response {
    console.draft(request, TableKind::Routes).await
}

const fn path_of(kind: TableKind) -> &'static str {
    match kind {
        TableKind::Rules => "/console/rules",
        TableKind::Routes => "/console/routing",
    }
}

/// What a page of a table says of itself.
const fn explained(kind: TableKind) -> (&'static str, &'static str) {
    match kind {
        TableKind::Rules => {
            ("Rules", "Asked in this order; the first that matches decides. A denied payment is answered with 310.")
        }
        TableKind::Routes => (
            "Routing",
            "Asked in this order; the first that matches sends the payment to one of its processors, by weight. Without a match it goes to \
             the merchant's own.",
        ),
    }
}

/// What it means that a table is empty.
const fn nothing_in(kind: TableKind) -> &'static str {
    match kind {
        TableKind::Rules => "There is no rule: every payment goes on to its processor.",
        TableKind::Routes => "There is no route: every payment goes to its merchant's own processor.",
    }
}

impl Console {
    async fn table(&self, headers: &HeaderMap, kind: TableKind) -> Response {
        let viewer = match self.viewer(headers) {
            Ok(viewer) => viewer,
            Err(response) => return *response,
        };
        match self.front.switch().operator().table(kind).await {
            Ok(in_force) => {
                let draft = Draft::of_text(kind, &in_force.text);
                self.show_table(&viewer, &draft, &draft, in_force.version, None, DRY_RUN_PAYMENTS)
            }
            Err(error) => {
                tracing::error!(%error, "a table can't be shown");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    async fn draft(&self, request: Request, kind: TableKind) -> Response {
        let (viewer, form) = match self.ordered(request).await {
            Ok(ordered) => ordered,
            Err(response) => return *response,
        };
        let Ok(in_force) = self.front.switch().operator().table(kind).await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let version = form.text("version").parse().unwrap_or(in_force.version);
        let span = form.text("span").parse().unwrap_or(DRY_RUN_PAYMENTS).clamp(1, DRY_RUN_PAYMENTS_MAX);
        let present = Draft::of_text(kind, &in_force.text);
        let button = form.text("do");
        if button == "activate" {
            return self.activate(&viewer, &form, kind, version).await;
        }
        let mut draft = Draft::of_form(kind, &form, true);
        if let Some(edit) = Edit::parse(button) {
            draft.edit(edit);
            return self.show_table(&viewer, &present, &draft, version, None, span);
        }
        let draft = Draft::of_form(kind, &form, false);
        let tried = self.try_out(&draft, span).await;
        // What is not accepted stays as it was typed, half-filled rows too.
        let shown = if tried.verdict.is_ok() { draft } else { Draft::of_form(kind, &form, true) };
        self.show_table(&viewer, &present, &shown, version, Some(tried), span)
    }

    async fn activate(&self, viewer: &Viewer, form: &Form, kind: TableKind, version: u32) -> Response {
        let draft = Draft::of_form(kind, form, false);
        let made =
            self.front.switch().operator().put_table(kind, &draft.text(), Order::of(viewer.by).expecting(Some(version))).await;
        let done = match made {
            Ok(made) => Ok(format!("In force, as change {}.", made.version)),
            Err(NotMade::Conflict { .. }) => {
                Err(NotDone::Because("somebody else has changed this table meanwhile: look at it as it is now, and try again"))
            }
            Err(error) => Err(error.into()),
        };
        self.done(viewer, path_of(kind), &format!("activate {}", super::draft::list_word(kind)), done)
    }

    async fn try_out(&self, draft: &Draft, span: u32) -> Tried {
        Tried { verdict: self.dry_run(draft, span).await }
    }

    async fn dry_run(&self, draft: &Draft, span: u32) -> Result<Report, String> {
        let switch = self.front.switch();
        let proposal = switch.operator().propose(draft.kind, &draft.text(), switch.merchants()).await?;
        let history = switch.history();
        history.catch_up().await.map_err(|error| error.to_string())?;
        dry_run(history.queries(), proposal, span).await.map_err(|error| {
            tracing::warn!(%error, "a dry run was not finished");
            "the payments can't be read at the moment".to_owned()
        })
    }

    fn offers(&self) -> Offers {
        let switch = self.front.switch();
        let mut merchants: Choices =
            switch.merchants().all().iter().map(|merchant| (merchant.id.to_string(), merchant.name.clone())).collect();
        merchants.sort_by(|one, other| one.1.cmp(&other.1));
        let processors = switch.processors().iter().map(|processor| (processor.id.to_string(), processor.name.clone())).collect();
        Offers { merchants, processors }
    }

    fn show_table(
        &self,
        viewer: &Viewer,
        present: &Draft,
        draft: &Draft,
        version: u32,
        tried: Option<Tried>,
        span: u32,
    ) -> Response {
        let (title, explained) = explained(draft.kind);
        let offers = self.offers();
        let name_of = |id: &str| {
            let known = offers.processors.iter().chain(&offers.merchants).find(|(known, _)| known == id);
            known.map_or_else(|| id.to_owned(), |(_, name)| name.clone())
        };
        let (old, new) = (present.sentences(name_of), draft.sentences(name_of));
        let is_activatable = tried.as_ref().is_some_and(|tried| tried.verdict.is_ok()) && old != new;
        let body = html! {
            h1 { (title) small { "version " (version) } }
            p.explained { (explained) }
            @if viewer.role == Role::Viewer {
                ol.sentences { @for sentence in &old { li { (sentence) } } }
                @if old.is_empty() { p.hint { (nothing_in(draft.kind)) } }
            } @else {
                form.editor method="post" action=(path_of(draft.kind)) {
                    (page::token(viewer))
                    input type="hidden" name="version" value=(version);
                    // The first button of a form is the one that Enter presses.
                    button.hidden name="do" value="check" tabindex="-1" aria-hidden="true" {}
                    @if let Some(tried) = &tried { (self.show_tried(tried, &old, &new)) }
                    div.bar-of-buttons {
                        button.primary name="do" value="check" { "Check and dry-run" }
                        label.row { "over the last" select name="span" {
                            @for choice in SPANS { option value=(choice) selected[choice == span] { (figures::count(choice.into())) " payments" } }
                        } }
                        @if is_activatable { button.danger name="do" value="activate" { "Activate" } }
                    }
                    (entries(draft, &offers))
                    @if draft.entries.is_empty() { p.hint { (nothing_in(draft.kind)) } }
                    button name="do" value="add" formnovalidate { "+ " (title.trim_end_matches('s').to_lowercase().replace("routing", "route")) }
                }
            }
        };
        self.page(viewer, path_of(draft.kind), body)
    }

    fn show_tried(&self, tried: &Tried, old: &[String], new: &[String]) -> Markup {
        html! {
            section.card.tried {
                @match &tried.verdict {
                    Err(fault) => p.notice.bad role="alert" { "Not accepted: " (fault) },
                    Ok(report) => {
                        h2 { "Against the table in force" }
                        @if old == new { p.hint { "Nothing is different." } } @else {
                            ul.diff { @for line in diff(old, new) { @match line {
                                Line::Kept(text) => li { (text) },
                                Line::Gone(text) => li.gone { del { (text) } },
                                Line::New(text) => li.new { ins { (text) } },
                            } } }
                        }
                        h2 { "Against history" }
                        p #dry-run { (figures::count(report.examined)) " payments were looked at, " strong { (figures::count(report.changed)) }
                            " would have been decided otherwise." }
                        (self.show_report(report))
                    },
                }
            }
        }
    }

    fn show_report(&self, report: &Report) -> Markup {
        html! {
            @if !report.by.is_empty() {
                table.report {
                    thead { tr { th { "was" } th { "would be" } th.n { "payments" } th.n { "amount" } } }
                    tbody {
                        @for difference in &report.by {
                            tr {
                                td { (self.decision(difference.from)) }
                                td { (self.decision(difference.to)) }
                                td.n { (figures::count(difference.count)) }
                                td.n { (figures::money(difference.amount, Currency::from_numeric(difference.currency))) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn decision(&self, decision: Decision) -> String {
        match decision {
            Decision::Accept => "accepted".to_owned(),
            Decision::Flag => "flagged".to_owned(),
            Decision::Deny => "denied".to_owned(),
            Decision::Processor(index) => {
                let processor = self.front.switch().processors().by_index(index);
                processor.map_or_else(|| "no processor".to_owned(), |processor| processor.name.clone())
            }
        }
    }
}
