//! The page on which a shopper sees what is asked for and pays it. One column on a phone, two on a desk; no script is needed.

use super::amounts::Manner;
use super::assets::{SCRIPT, STYLE};
use super::form::{By, Refused};
use super::pay_form;
use crate::payables::{Line, Page};
use maud::{DOCTYPE, Markup, html};
use persistence::stores::{Face, Payable, PayableState};
use protocol::calendar::Micros;
use protocol::response_code::ResponseCode;

/// All that a page is made of.
pub(super) struct Shown<'a> {
    pub(super) payable: &'a Payable,
    pub(super) page: &'a Page,
    /// The name of whoever asks.
    pub(super) seller: &'a str,
    pub(super) manner: Manner,
    /// What the last attempt came to.
    pub(super) last_answer: Option<ResponseCode>,
    /// The form that was sent before and could not be accepted.
    pub(super) refused: Option<&'a Refused>,
    /// What the page's form pays with; none where it can't be paid, or not in a way that its seller takes.
    pub(super) by: Option<By>,
    /// True when there is a form for the other as well.
    pub(super) has_other: bool,
    /// Now, by the calendar.
    pub(super) now: Micros,
    /// Where a shopper that has paid, or does not want to, goes on to.
    pub(super) way_on: Option<&'a str>,
    /// True when no more attempts are taken.
    pub(super) is_spent: bool,
}

/// The whole page.
pub(super) fn page(shown: &Shown<'_>) -> Markup {
    let state = match shown.payable.state {
        PayableState::Open if shown.payable.due() == 0 => {
            told("closed", "Nothing to pay", "Nothing of this is left to pay.", shown)
        }
        PayableState::Open if shown.is_spent => spent(shown),
        PayableState::Open => match shown.by {
            Some(by) => pay_form::form(shown, by),
            None => told("closed", "Not by card", "Please ask the seller how to pay this.", shown),
        },
        PayableState::Paying => under_way(),
        PayableState::Paid | PayableState::PartiallyRefunded => paid(shown),
        PayableState::Refunded => told("refunded", "Refunded", "Your money was given back.", shown),
        PayableState::Cancelled => told("closed", "Cancelled", "There is nothing to pay here any more.", shown),
        PayableState::Expired => {
            told("closed", "Expired", "The time to pay this is over. Ask the seller for a new link if you still want to.", shown)
        }
    };
    let title = format!("{} · {}", headline(shown), shown.seller);
    let refresh = (shown.payable.state == PayableState::Paying).then_some("2");
    document(
        &title,
        refresh,
        html! {
            main {
                (summary(shown))
                section.pane.action.first[has_news(shown)] aria-label="Payment" { (state) }
            }
            @if let Some(by) = shown.by { footer { p { (pay_form::assurance(by)) } } }
        },
    )
}

/// True when a shopper must not have to look for what has become of the payment: on a phone that comes before what is paid for.
fn has_news(shown: &Shown<'_>) -> bool {
    shown.payable.state != PayableState::Open || shown.last_answer.is_some() || shown.refused.is_some()
}

/// A page without a payable: not there, or not now.
pub(super) fn notice(title: &str, words: &str) -> Markup {
    document(
        title,
        None,
        html! {
            main {
                section.pane.action.alone aria-label="Payment" {
                    div.told { h1 { (title) } p { (words) } }
                }
            }
        },
    )
}

fn document(title: &str, refresh: Option<&str>, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                meta name="color-scheme" content="light dark";
                @if let Some(seconds) = refresh { meta http-equiv="refresh" content=(seconds); }
                title { (title) }
                link rel="stylesheet" href=(STYLE.path());
                script src=(SCRIPT.path()) defer {}
            }
            body { (body) }
        }
    }
}

fn headline<'a>(shown: &Shown<'a>) -> &'a str {
    if shown.page.title.is_empty() { "Payment" } else { &shown.page.title }
}

fn summary(shown: &Shown<'_>) -> Markup {
    let Shown { payable, page, seller, .. } = shown;
    let total = match payable.state {
        PayableState::Open | PayableState::Paying | PayableState::Cancelled | PayableState::Expired => payable.due(),
        PayableState::Paid | PayableState::PartiallyRefunded | PayableState::Refunded => payable.amount,
    };
    let (total_text, code) = (amount(shown, total), payable.currency.code());
    html! {
        section.pane.summary aria-label="What you pay for" {
            header.seller {
                @if page.logo_url.starts_with("https://") { img src=(page.logo_url) alt="" width="40" height="40"; }
                @else { span.mark aria-hidden="true" { (seller.chars().next().unwrap_or('·')) } }
                p { bdi { (seller) } }
            }
            h1 { bdi { (headline(shown)) } }
            p.total { (total_text) @if !total_text.contains(code) { " " span.code { (code) } } }
            @if let Some(due_on) = page.due_at.map(Micros) { p.due { "Due " time datetime=(due_on) { (day(due_on)) } } }
            @if !page.payer.is_empty() { p.payer { "For " bdi { (page.payer) } } }
            @if !page.message.is_empty() && page.message != page.title { p.message dir="auto" { (page.message) } }
            @if !page.lines.is_empty() || !page.sums.is_empty() { (lines(shown, total)) }
        }
    }
}

fn lines(shown: &Shown<'_>, total: u64) -> Markup {
    let Shown { payable, page, .. } = shown;
    html! {
        table.lines {
            caption.unseen { "What you pay for" }
            tbody { @for line in &page.lines { (row(shown, line)) } }
            tbody.sums {
                @for line in &page.sums { (row(shown, line)) }
                @if payable.amount_paid > 0 && payable.due() > 0 {
                    tr {
                        th scope="row" { "Paid before" }
                        td { (shown.manner.amount(-signed(payable.amount_paid), payable.currency)) }
                    }
                }
            }
            tfoot { tr { th scope="row" { "Total" } td { (amount(shown, total)) } } }
        }
    }
}

fn row(shown: &Shown<'_>, line: &Line) -> Markup {
    html! {
        tr {
            th scope="row" { bdi { (line.label) } @if !line.detail.is_empty() { span.detail { (isolated(&line.detail)) } } }
            td { @if let Some(minor) = line.amount { (shown.manner.amount(minor, shown.payable.currency)) } }
        }
    }
}

/// Parts of a detail may run from right to left, each by itself.
fn isolated(detail: &str) -> Markup {
    html! {
        @for (place, part) in detail.split(" · ").enumerate() {
            @if place > 0 { " · " }
            bdi { (part) }
        }
    }
}

fn under_way() -> Markup {
    html! {
        div.told role="status" {
            div.wheel aria-hidden="true" {}
            h2 { "Your payment is under way" }
            p { "This page looks again by itself. You will be charged once, whatever you click." }
        }
    }
}

fn paid(shown: &Shown<'_>) -> Markup {
    let Shown { payable, seller, manner, .. } = shown;
    html! {
        div.told.good role="status" {
            div.badge aria-hidden="true" { "✓" }
            h2 { "Paid" }
            p { "You have paid " strong { (manner.amount(signed(payable.amount_paid), payable.currency)) } " to " bdi { (seller) } "." }
            @if payable.amount_refunded > 0 {
                p { (manner.amount(signed(payable.amount_refunded), payable.currency)) " of it was given back to you." }
            }
            dl {
                @if !shown.page.order_id.is_empty() { dt { (number_word(payable.face)) } dd { (shown.page.order_id) } }
                dt { "Paid on" } dd { time datetime=(payable.paid_at.to_string()) { (day(payable.paid_at)) } }
                dt { "Reference" } dd { code { (payable.transaction) } }
            }
            (way_on(shown, "Return to the seller"))
            @if !shown.page.status_url.is_empty() {
                a href=(shown.page.status_url) rel="noreferrer" { "See how your order is coming along" }
            }
        }
    }
}

/// What the seller's number is a number of.
fn number_word(face: Face) -> &'static str {
    match face {
        Face::Invoice => "Invoice",
        Face::Order | Face::Request => "Order",
        Face::Link => "Number",
    }
}

/// `13 February 2039`, UTC.
pub(super) fn day(at: Micros) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let civil = at.civil();
    let month = MONTHS.get(usize::from(civil.month).wrapping_sub(1)).copied().unwrap_or("");
    format!("{} {month} {}", civil.day, civil.year)
}

fn told(class: &str, title: &str, words: &str, shown: &Shown<'_>) -> Markup {
    html! { div.told.(class) role="status" { h2 { (title) } p { (words) } (way_on(shown, "Return to the seller")) } }
}

fn spent(shown: &Shown<'_>) -> Markup {
    told("closed", "Too many attempts", "You were not charged. Please get in touch with the seller.", shown)
}

fn way_on(shown: &Shown<'_>, label: &str) -> Markup {
    html! { @if let Some(url) = shown.way_on { a.button href=(url) rel="noreferrer" { (label) } } }
}

pub(super) fn amount(shown: &Shown<'_>, minor: u64) -> String {
    shown.manner.amount(signed(minor), shown.payable.currency)
}

/// Amounts have twelve digits at most.
fn signed(minor: u64) -> i64 {
    i64::try_from(minor).unwrap_or(i64::MAX)
}
