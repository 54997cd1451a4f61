//! What every page has: its head, the way around, what is to be told, style and script.

use super::Console;
use super::session::{Notice, Role, Viewer};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("live.js");

/// Nothing from elsewhere, nothing inline that runs, no frame around us.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Pages, in the order of the way around.
const PAGES: [(&str, &str); 7] = [
    ("/console", "Overview"),
    ("/console/processors", "Processors"),
    ("/console/routing", "Routing"),
    ("/console/rules", "Rules"),
    ("/console/payments", "Payments"),
    ("/console/reversals", "Reversals"),
    ("/console/history", "History"),
];

impl Console {
    /// A page for somebody who has signed in; `path` is its place among the pages.
    pub(super) fn page(&self, viewer: &Viewer, path: &str, body: Markup) -> Response {
        let title = PAGES.iter().find(|(page, _)| *page == path).map_or("Switchyard", |(_, title)| title);
        let notice = self.sessions.take_notice(viewer);
        let readiness = self.front.switch().readiness();
        let (state, class) = match (readiness.draining, readiness.is_ready()) {
            (true, _) => ("draining", "warn"),
            (false, true) => ("taking payments", "good"),
            (false, false) => ("not ready", "bad"),
        };
        whole(
            title,
            html! {
                header.top {
                    a.brand href="/console" { (mark()) "Switchyard" }
                    span.pill.(class) #state { (state) }
                    nav aria-label="Pages" {
                        @for (page, name) in PAGES {
                            a href=(page) aria-current=[(page == path).then_some("page")] { (name) }
                        }
                    }
                    form.who method="post" action="/console/sign-out" {
                        (token(viewer))
                        span { (viewer.name) small { (viewer.role.word()) } }
                        button.quiet { "Sign out" }
                    }
                }
                main {
                    @if let Some(Notice { is_good, text }) = notice {
                        p.notice.good[is_good].bad[!is_good] role="status" { (text) }
                    }
                    (body)
                }
            },
        )
    }
}

/// The hidden field that says whose form it is.
pub(super) fn token(viewer: &Viewer) -> Markup {
    html! { input type="hidden" name="form_token" value=(viewer.form_token); }
}

/// A form of one button. A viewer sees none.
pub(super) fn button(viewer: &Viewer, action: &str, class: &str, name: &str) -> Markup {
    html! {
        @if viewer.role == Role::Operator {
            form.inline method="post" action=(action) { (token(viewer)) button class=(class) { (name) } }
        }
    }
}

/// A page for nobody in particular.
pub(super) fn bare(title: &str, body: Markup) -> Response {
    whole(title, body)
}

/// The mark in front of the name: two tracks and a switch.
pub(super) fn mark() -> Markup {
    html! {
        (PreEscaped(r#"<svg class="mark" viewBox="0 0 24 24" aria-hidden="true"><path d="M2 17h20M2 17c8 0 8-10 20-10"/></svg>"#))
    }
}

fn whole(title: &str, body: Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Switchyard" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/console/style.css";
                script src="/console/live.js" defer {}
            }
            body { (body) }
        }
    };
    guarded("text/html; charset=utf-8", page.into_string())
}

/// With the headers that keep a page to itself.
fn guarded(content_type: &'static str, body: String) -> Response {
    let mut response = body.into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `GET /console/style.css`
pub(super) async fn style() -> Response {
    guarded("text/css; charset=utf-8", STYLE.to_owned())
}

/// `GET /console/live.js`
pub(super) async fn script() -> Response {
    guarded("text/javascript; charset=utf-8", SCRIPT.to_owned())
}
