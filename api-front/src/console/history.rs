//! What was changed and done, when and by whom, and how a change is taken back.

use super::act::NotDone;
use super::diff::{Line, diff};
use super::draft::Draft;
use super::{Console, figures, page};
use crate::operator::TableKind;
use crate::operator::actions::Action;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use persistence::projection::{Deeds, StoredChange};
use protocol::change::{Area, ChangedBy};
use protocol::id::Xid;
use serde_json::Value;

/// Changes that are shown, the newest; and as many actions, which crowd no change out.
const SHOWN: usize = 200;

/// `GET /console/history`
pub(super) async fn show(State(console): State<Console>, headers: HeaderMap) -> Response {
    let viewer = match console.viewer(&headers) {
        Ok(viewer) => viewer,
        Err(response) => return *response,
    };
    let changes = match console.front.switch().past().changes(Deeds::All, 0, u32::MAX).await {
        Ok(changes) => changes,
        Err(error) => return console.page(&viewer, "/console/history", html! { p.notice.bad { (error) } }),
    };
    let rows = newest(&changes);
    let body = html! {
        h1 { "History" }
        p.explained { "Every change was journaled before it held, and holds after a restart; every action was before it was done. The newest change of a thing can be taken back." }
        @if changes.is_empty() { p.hint { "Nothing was changed or done yet: all is as configured." } }
        ol.history {
            @for place in rows.iter().copied() {
                @let change = &changes[place];
                @let before = changes[..place].iter().rev().find(|earlier| is_of_same(earlier, change));
                @let can_be_undone = change.area != Area::Action && !changes[place + 1..].iter().any(|later| is_of_same(later, change));
                li.card {
                    header {
                        strong { (change.version) ". " (console.subject(change)) }
                        time { (figures::moment(change.at)) }
                        @if !change.by.name().is_empty() { span.by { "by " (change.by.name()) } }
                        @if change.undoes > 0 { span.pill.off { "takes back " (change.undoes) } }
                        @if can_be_undone { (page::button(&viewer, &format!("/console/history/{}/undo", change.id), "quiet", "Undo")) }
                    }
                    (console.what(change, before))
                }
            }
        }
    };
    console.page(&viewer, "/console/history", body)
}

/// The places of what is shown, the newest first.
fn newest(changes: &[StoredChange]) -> Vec<usize> {
    let mut left = [SHOWN; 2];
    let is_shown = |place: &usize| {
        let left = &mut left[usize::from(changes[*place].area == Area::Action)];
        let is_shown = *left > 0;
        *left = left.saturating_sub(1);
        is_shown
    };
    (0..changes.len()).rev().filter(is_shown).collect()
}

/// `POST /console/history/{id}/undo`
pub(super) async fn undo(State(console): State<Console>, Path(id): Path<String>, request: Request) -> Response {
    let (viewer, _) = match console.ordered(request).await {
        Ok(ordered) => ordered,
        Err(response) => return *response,
    };
    let Ok(wanted) = id.parse::<Xid>() else { return StatusCode::NOT_FOUND.into_response() };
    let done = console.take_back(&wanted, viewer.by).await;
    console.done(&viewer, "/console/history", &format!("undo {id}"), done)
}

fn is_of_same(one: &StoredChange, other: &StoredChange) -> bool {
    (one.area, one.subject) == (other.area, other.subject)
}

impl Console {
    async fn take_back(&self, wanted: &Xid, by: ChangedBy) -> Result<String, NotDone> {
        let switch = self.front.switch();
        let changes = switch.past().changes(Deeds::All, 0, u32::MAX).await?;
        let made = switch.operator().undo(&changes, wanted, by).await?;
        Ok(format!("Taken back, as change {}.", made.version))
    }

    fn name_of(&self, id: &str) -> String {
        let switch = self.front.switch();
        let Ok(xid) = id.parse::<Xid>() else { return id.to_owned() };
        let processor = switch.processors().by_id(&xid).map(|processor| processor.name.clone());
        processor.or_else(|| Some(switch.merchant(&xid)?.name.clone())).unwrap_or_else(|| id.to_owned())
    }

    fn subject(&self, change: &StoredChange) -> String {
        match change.area {
            Area::Rules => "Rules".to_owned(),
            Area::Routes => "Routing".to_owned(),
            Area::Processor => format!("Processor {}", self.name_of(&change.subject.to_string())),
            Area::Merchant => format!("Merchant {}", self.name_of(&change.subject.to_string())),
            Area::Action => self.done_to(change),
        }
    }

    /// An action in words.
    fn done_to(&self, change: &StoredChange) -> String {
        let Some(action) = Action::of(&change.text) else { return "Something that this version does not know".to_owned() };
        let subject = self.name_of(&change.subject.to_string());
        match action {
            Action::SignOn => format!("Signed on {subject}"),
            Action::SignOff => format!("Signed off {subject}"),
            Action::CutOver => format!("Cut over {subject}"),
            Action::Settle => format!("Settled {subject}"),
            Action::TakeOver => format!("Took over the reversal of {subject}"),
            Action::RotateKeys => "Had a new key seal".to_owned(),
            Action::RegisterTerminal => format!("Registered a terminal of {subject}"),
        }
    }

    /// A table's change line by line against the one before; of anything else, what holds since.
    fn what(&self, change: &StoredChange, before: Option<&StoredChange>) -> Markup {
        let kind = match change.area {
            Area::Rules => TableKind::Rules,
            Area::Routes => TableKind::Routes,
            Area::Processor | Area::Merchant => return facts(&change.text),
            Area::Action => return html! {},
        };
        let lines = |text: &[u8]| Draft::of_text(kind, &self.whole_text(kind, text)).sentences(|id| self.name_of(id));
        let old = lines(before.map_or(b"null", |before| before.text.as_slice()));
        let new = lines(&change.text);
        html! {
            ul.diff { @for line in diff(&old, &new) { @match line {
                Line::Kept(text) => li { (text) },
                Line::Gone(text) => li.gone { del { (text) } },
                Line::New(text) => li.new { ins { (text) } },
            } } }
            @if old == new { p.hint { "Nothing was different." } }
        }
    }

    /// A table's text; where the change says "as configured", what is configured.
    fn whole_text(&self, kind: TableKind, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text).into_owned();
        if text != crate::operator::changes::AS_CONFIGURED {
            return text;
        }
        self.front.switch().operator().configured_table(kind).unwrap_or(text)
    }
}

fn facts(text: &[u8]) -> Markup {
    let value: Value = serde_json::from_slice(text).unwrap_or_default();
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    html! {
        @match &value {
            Value::Object(fields) => { p.change { @for (name, value) in fields { span.shard { (name.replace('_', " ")) ": " (shown(value)) } } } },
            _ => p.change { "as configured" },
        }
    }
}
