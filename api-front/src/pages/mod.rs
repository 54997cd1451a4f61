//! The hosted pages: where a shopper sees what is asked for, pays it by card or from a bank account, and goes back to whoever asked.
//!
//! Lives here: HTML, its headers, the form. Must not live here: what may be paid and what has been ([`crate::payables`]). Every form is
//! answered by a redirect, so that a reload or a step back sends nothing; its attempt's number makes a second click the first one's.

mod account;
mod amounts;
mod assets;
mod brake;
mod form;
mod pay_form;
mod view;
mod words;

#[cfg(test)]
mod tests;

use crate::payables::{Asked, Page, PayableError, Payables};
use crate::rest::{client_address, read_any_type};
use crate::switch::handle::Switch;
use amounts::Manner;
use assets::{SCRIPT, STYLE};
use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use brake::Brake;
use form::{By, Faults, Filled, Refused, Sent, typed_cookie};
use maud::Markup;
use persistence::stores::{Payable, PayableState};
use protocol::response_code::ResponseCode;
use std::net::IpAddr;
use std::sync::Arc;
use view::Shown;

/// Attempts at one payable. Whoever tries stolen cards tries many.
pub const ATTEMPTS_MAX: u32 = 20;

/// Scripts and styles of ours only, nothing inline; nobody frames a page on which a card is typed. A form may be answered by the way back
/// to the seller, whose own further ways are its own.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' https:; form-action 'self' https:SELLER; \
                      base-uri 'none'; frame-ancestors 'none'";

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Pages {
    payables: Payables,
    switch: Switch,
    trusted_proxies: Arc<[IpAddr]>,
    brake: Arc<Brake>,
}

/// The pages' routes.
pub(crate) fn routes(payables: Payables, switch: Switch, trusted_proxies: Arc<[IpAddr]>) -> Router {
    let brake = Arc::new(Brake::new(switch.calendar().is_movable()));
    Router::new()
        .route("/pay/{public_id}", get(see).post(pay))
        .route("/pay/{public_id}/cancel", post(cancel))
        .route("/invoice/{public_id}", get(to_page))
        .route(STYLE.route(), get(|| async { STYLE.answer() }))
        .route(SCRIPT.route(), get(|| async { SCRIPT.answer() }))
        .with_state(Pages { payables, switch, trusted_proxies, brake })
}

/// `GET /pay/{public_id}`
async fn see(
    State(pages): State<Pages>,
    Path(public_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let (refused, by) = (Refused::told(query.as_deref(), &headers), By::asked(query.as_deref()));
    let rendered = match pages.payables.of_page(&public_id).await {
        Ok(payable) => pages.render(&payable, &headers, by, refused.as_ref()).await,
        Err(error) => Err(error),
    };
    rendered.unwrap_or_else(|error| trouble(&error))
}

/// `GET /invoice/{public_id}`: the address that the gateway document shows.
async fn to_page(Path(public_id): Path<String>) -> Response {
    see_other(&format!("/pay/{public_id}"))
}

/// `POST /pay/{public_id}`
async fn pay(State(pages): State<Pages>, Path(public_id): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let ip = client_address(&parts, &pages.trusted_proxies);
    let sent = match read_any_type(&parts.headers, body, |bytes| Ok(Sent::read(bytes))).await {
        Ok(sent) => sent,
        Err(problem) => return plain(problem.status(), "This form can't be read", "Please go back and try again."),
    };
    let payable = match pages.payables.of_page(&public_id).await {
        Ok(payable) => payable,
        Err(error) => return trouble(&error),
    };
    let is_taken = pages.payables.page(&payable).is_ok_and(|page| pages.takes(&payable, &page, sent.by));
    if payable.state != PayableState::Open || payable.attempts >= ATTEMPTS_MAX || !is_taken {
        return pages.go_on(&pages.after_second_click(payable).await, sent.by);
    }
    let in_sandbox = pages.switch.merchant(&payable.merchant).is_some_and(|merchant| merchant.sandbox);
    match sent.check(pages.switch.now().civil(), in_sandbox) {
        Ok(mut filled) => {
            filled.payer.ip = ip;
            let Filled { attempt: number, agreed, means, payer } = filled;
            let asked = Asked { public_id, number, agreed, means, payer };
            pages.attempt(asked, sent.by).await
        }
        Err(faults) => pages.ask_again(&payable, &sent, &faults),
    }
}

/// `POST /pay/{public_id}/cancel`
async fn cancel(State(pages): State<Pages>, Path(public_id): Path<String>) -> Response {
    let found = pages.payables.of_page(&public_id).await;
    let cancelled = match found {
        // Who offers no way back keeps it open.
        Ok(payable) if pages.payables.page(&payable).is_ok_and(|page| page.cancel_url.is_empty()) => Ok(payable),
        Ok(payable) => match pages.payables.cancel(&payable.id).await {
            Err(PayableError::WrongState(_)) => pages.payables.payable(&payable.id).await,
            outcome => outcome,
        },
        Err(error) => Err(error),
    };
    match cancelled {
        Ok(payable) => pages.go_on(&payable, By::Card),
        Err(error) => trouble(&error),
    }
}

impl Pages {
    /// Whether a payable can be paid in a way on its page.
    fn takes(&self, payable: &Payable, page: &Page, by: By) -> bool {
        match by {
            By::Card => !page.takes_no_cards,
            By::Account => self.payables.takes_accounts(payable, page),
        }
    }

    /// Pays, unless too many attempts from there have come to nothing.
    async fn attempt(&self, asked: Asked, by: By) -> Response {
        let address = asked.payer.ip;
        if let Err(wait_s) = self.brake.begin(address) {
            return too_many(wait_s);
        }
        match self.payables.pay(asked).await {
            Ok(payable) => {
                // Declined attempts leave it open. The others were no tries of a card, or one that paid.
                if payable.state != PayableState::Open {
                    self.brake.has_paid(address);
                }
                self.go_on(&payable, by)
            }
            Err(error) => trouble(&error),
        }
    }

    /// Leads a form that can't be accepted to the page that says why.
    fn ask_again(&self, payable: &Payable, sent: &Sent, faults: &Faults) -> Response {
        let (path, page) = (page_path(payable, By::Card), page_path(payable, sent.by));
        let is_secure = self.payables.pay_url(payable).starts_with("https://");
        let joint = if page.contains('?') { '&' } else { '?' };
        let mut response = see_other(&format!("{page}{joint}{}", faults.query()));
        if let Ok(cookie) = HeaderValue::try_from(typed_cookie(sent, &path, is_secure)) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }

    /// A second click while the first is under way waits for what comes of it.
    async fn after_second_click(&self, payable: Payable) -> Payable {
        match payable.state {
            PayableState::Paying => self.payables.wait_decided(payable.clone()).await.unwrap_or(payable),
            PayableState::Open
            | PayableState::Paid
            | PayableState::PartiallyRefunded
            | PayableState::Refunded
            | PayableState::Cancelled
            | PayableState::Expired => payable,
        }
    }

    /// Where a form leads: back to the seller when that is what follows, else to the page, which says how it stands.
    fn go_on(&self, payable: &Payable, by: By) -> Response {
        let page = self.payables.page(payable).unwrap_or_default();
        match way_on(payable, &page) {
            Some(url) => see_other(url),
            None => see_other(&page_path(payable, by)),
        }
    }

    async fn render(
        &self,
        payable: &Payable,
        headers: &HeaderMap,
        by: By,
        refused: Option<&Refused>,
    ) -> Result<Response, PayableError> {
        let page = self.payables.page(payable)?;
        let is_open = payable.state == PayableState::Open;
        let taken = [by, by.other()].map(|by| (is_open && self.takes(payable, &page, by)).then_some(by));
        let merchant = self.switch.merchant(&payable.merchant);
        let account = merchant.as_ref().map_or("", |merchant| merchant.name.as_str());
        let shown = Shown {
            payable,
            page: &page,
            seller: if page.seller.is_empty() { account } else { &page.seller },
            manner: Manner::of(headers),
            last_answer: self.last_answer(payable).await?,
            by: taken[0].or(taken[1]),
            has_other: taken.iter().flatten().count() == 2,
            now: self.switch.calendar().now(),
            refused: refused.filter(|_| is_open),
            way_on: way_on(payable, &page),
            is_spent: payable.attempts >= ATTEMPTS_MAX,
        };
        let response = html(StatusCode::OK, view::page(&shown));
        Ok(with_policy(response, [&page.paid_url, &page.cancel_url]))
    }

    async fn last_answer(&self, payable: &Payable) -> Result<Option<ResponseCode>, PayableError> {
        let is_of_use = payable.state == PayableState::Open && payable.attempts > 0 && payable.amount_paid == 0;
        if is_of_use { self.payables.last_answer(payable).await } else { Ok(None) }
    }
}

/// Where a payable's page says how it stands, as whoever tried to pay in this way wants to see it.
fn page_path(payable: &Payable, by: By) -> String {
    match by {
        By::Card => format!("/pay/{}", payable.public_id),
        By::Account => format!("/pay/{}?by={}", payable.public_id, by.word()),
    }
}

/// Where whoever has paid, or does not want to, goes on to.
fn way_on<'a>(payable: &Payable, page: &'a Page) -> Option<&'a str> {
    let url = match payable.state {
        PayableState::Paid | PayableState::PartiallyRefunded | PayableState::Refunded => &page.paid_url,
        PayableState::Cancelled => &page.cancel_url,
        PayableState::Open | PayableState::Paying | PayableState::Expired => return None,
    };
    Some(url.as_str()).filter(|url| url.starts_with("https://") || url.starts_with("http://"))
}

fn html(status: StatusCode, page: Markup) -> Response {
    let mut response = (status, page.into_string()).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    with_policy(response, [""; 2])
}

/// Names the origins to which a form may lead that are not https: a developer's machine.
fn with_policy<Url: AsRef<str>>(mut response: Response, urls: [Url; 2]) -> Response {
    let origins = urls.iter().filter_map(|url| loopback_origin(url.as_ref()));
    let sellers: String = origins.map(|origin| format!(" {origin}")).collect();
    if let Ok(policy) = HeaderValue::try_from(POLICY.replace("SELLER", &sellers)) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn loopback_origin(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("http://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let is_plain =
        rest[..end].bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-' | b'[' | b']'));
    is_plain.then(|| &url[.."http://".len() + end])
}

fn see_other(place: &str) -> Response {
    let Ok(place) = HeaderValue::try_from(place) else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong", "Please get in touch with the seller.");
    };
    let headers = [(header::LOCATION, place), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

fn plain(status: StatusCode, title: &str, words: &str) -> Response {
    html(status, view::notice(title, words))
}

fn too_many(wait_s: u32) -> Response {
    let words = "Too many payments from your network were declined. You were not charged. Please wait a minute, and try again.";
    let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "Please wait a moment", words);
    response.headers_mut().insert(header::RETRY_AFTER, wait_s.into());
    response
}

/// For a shopper whose address leads nowhere.
pub(crate) fn nothing_here() -> Response {
    let words = "This address leads nowhere. Check it, or ask the seller for a new one.";
    plain(StatusCode::NOT_FOUND, "Nothing to pay here", words)
}

fn trouble(error: &PayableError) -> Response {
    match error {
        PayableError::NotFound => nothing_here(),
        PayableError::WrongState(_)
        | PayableError::TooMuch { .. }
        | PayableError::Busy
        | PayableError::Unreadable
        | PayableError::Refused(_)
        | PayableError::Unavailable(_)
        | PayableError::Failed(_) => {
            tracing::warn!(%error, "a shopper's page");
            let words = "Please load this page again in a moment. Whatever you had begun, you are charged once at most.";
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "We can't show this at the moment", words);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
            response
        }
    }
}
