//! The form in which a shopper pays, as it is shown: one for a card, one for a bank account with what its holder agrees to.

use super::form::{By, Refused};
use super::view::{Shown, amount, day};
use super::words;
use crate::payables::{AccountType, asked_for};
use maud::{Markup, html};

/// The form, and the way to the other one.
pub(super) fn form(shown: &Shown<'_>, by: By) -> Markup {
    let path = format!("/pay/{}", shown.payable.public_id);
    let due = amount(shown, shown.payable.due());
    html! {
        h2 { @match by { By::Card => "Pay by card", By::Account => "Pay from a bank account" } }
        (alert(shown, by))
        form #pay method="post" action=(path) novalidate {
            input type="hidden" name="attempt" value=(shown.payable.attempts + 1);
            input type="hidden" name="agreed" value=(asked_for(shown.payable));
            @match by {
                By::Card => {
                    (card_fields(shown))
                    button type="submit" { "Pay " (due) }
                }
                By::Account => {
                    input type="hidden" name="by" value=(by.word());
                    (account_fields(shown))
                    (mandate(shown))
                    button type="submit" { "Authorize " (due) }
                }
            }
        }
        @if shown.has_other {
            p.other { a href={ (path) "?by=" (by.other().word()) } {
                @match by { By::Card => "Pay from a bank account instead", By::Account => "Pay by card instead" }
            } }
        }
        @if !shown.page.cancel_url.is_empty() {
            form.cancel method="post" action={ (path) "/cancel" } {
                button.quiet type="submit" { "Cancel and return to " bdi { (shown.seller) } }
            }
        }
    }
}

/// What becomes of what is typed.
pub(super) const fn assurance(by: By) -> &'static str {
    match by {
        By::Account => "Your account's data go to your bank, to be debited once. This page keeps none of them.",
        By::Card => "Your card's data go to its bank, to be charged once. This page keeps none of them.",
    }
}

/// What the holder of an account agrees to, as the rules of the clearing house ask of whoever debits it over the Internet: once or again,
/// how much, when, that it is an authorization, and how it is taken back.
fn mandate(shown: &Shown<'_>) -> Markup {
    html! {
        p.mandate {
            "By pressing the button you authorize " bdi { (shown.seller) } " to debit your account electronically, once, for "
            strong { (amount(shown, shown.payable.due())) } ", on or after " (day(shown.now)) ", and to correct a mistaken debit by a credit. "
            "You confirm that the account is yours to be debited. You can revoke this by telling " bdi { (shown.seller) }
            " before the debit is sent to your bank, which is done within a day. A debit that your bank returns leaves this unpaid."
        }
    }
}

/// The fields of a form as its shopper sees them: those of one that was refused with what is wrong, and with what may be filled in anew.
struct Fields<'a> {
    refused: &'a Refused,
}

impl<'a> Fields<'a> {
    fn of(&self, id: &'a str, label: &'a str, autocomplete: &'a str) -> Field<'a> {
        let faults = &self.refused.faults;
        Field {
            id,
            label,
            hint: "",
            autocomplete,
            numeric: false,
            is_optional: false,
            value: "",
            fault: faults.of(id),
            is_first_wrong: faults.first() == Some(id),
        }
    }
}

/// All that is asked of a card and its holder. Nothing of the card is filled in anew.
fn card_fields(shown: &Shown<'_>) -> Markup {
    let nothing = Refused::default();
    let refused = shown.refused.unwrap_or(&nothing);
    let fields = Fields { refused };
    let number = Field { numeric: true, ..fields.of("number", "Card number", "cc-number") };
    let expiry = Field { hint: "MM/YY", numeric: true, ..fields.of("expiry", "Expiry date", "cc-exp") };
    let code = Field { hint: "CVC", numeric: true, ..fields.of("code", "Security code", "cc-csc") };
    let name = Field { value: &refused.name, ..fields.of("name", "Name on card", "cc-name") };
    let postal = fields.of("postal_code", "Postal code", "billing postal-code");
    let postal = Field { hint: "optional", is_optional: true, value: &refused.postal_code, ..postal };
    html! {
        (field(&number))
        div.pair { (field(&expiry)) (field(&code)) }
        (field(&name))
        (field(&postal))
    }
}

/// All that is asked of a bank account and its holder. Of the account only its type is filled in anew.
fn account_fields(shown: &Shown<'_>) -> Markup {
    let nothing = Refused::default();
    let refused = shown.refused.unwrap_or(&nothing);
    let fields = Fields { refused };
    let holder = Field { value: &refused.name, ..fields.of("name", "Account holder", "name") };
    let routing = Field { hint: "9 digits", numeric: true, ..fields.of("routing_number", "Routing number", "off") };
    let number = Field { numeric: true, ..fields.of("account_number", "Account number", "off") };
    let account_type = Field { value: &refused.account_type, ..fields.of("account_type", "Account type", "off") };
    html! {
        (field(&holder))
        (field(&routing))
        (field(&number))
        (choice(&account_type, &AccountType::ALL.map(|known| (known.word(), name_of(known)))))
    }
}

const fn name_of(account_type: AccountType) -> &'static str {
    match account_type {
        AccountType::Checking => "Checking",
        AccountType::Savings => "Savings",
    }
}

/// What stands above the form when there is something to say.
fn alert(shown: &Shown<'_>, by: By) -> Markup {
    let declined = shown.last_answer.filter(|_| shown.refused.is_none()).map(|code| words::of_decline(code, by));
    html! {
        @if let Some((why, what)) = declined {
            div.alert role="alert" { p { strong { (why) } } p { "You were not charged. " (what) } }
        } @else if shown.refused.is_some() {
            div.alert role="alert" { p { strong { "Please check the fields below." } } p { "You were not charged." } }
        }
    }
}

/// A field of the form.
struct Field<'a> {
    id: &'a str,
    label: &'a str,
    hint: &'a str,
    autocomplete: &'a str,
    numeric: bool,
    is_optional: bool,
    value: &'a str,
    fault: Option<&'static str>,
    /// It gets the caret.
    is_first_wrong: bool,
}

impl Field<'_> {
    fn fault_id(&self) -> Option<String> {
        self.fault.map(|_| format!("{}-fault", self.id))
    }

    /// Its label, itself, and what is wrong with it.
    fn framed(&self, input: &Markup) -> Markup {
        html! {
            div.field {
                label for=(self.id) { (self.label) @if !self.hint.is_empty() { span.hint { (self.hint) } } }
                div.box { (input) }
                @if let Some(fault) = self.fault { p.fault id=[self.fault_id()] { (fault) } }
            }
        }
    }
}

fn field(field: &Field<'_>) -> Markup {
    let Field { id, autocomplete, value, .. } = *field;
    let wrong = field.fault.map(|_| "true");
    let mode = field.numeric.then_some("numeric");
    field.framed(&html! {
        input id=(id) name=(id) type="text" value=(value) autocomplete=(autocomplete) inputmode=[mode]
            required[!field.is_optional] aria-invalid=[wrong] aria-describedby=[field.fault_id()]
            autofocus[field.is_first_wrong]
            spellcheck="false" autocapitalize=[(id != "name").then_some("off")];
        @if id == "number" { span #brand .brand aria-live="polite" {} }
    })
}

/// A field of which one of a few is chosen: the first, where nothing was.
fn choice(field: &Field<'_>, options: &[(&str, &str)]) -> Markup {
    let Field { id, value, .. } = *field;
    let wrong = field.fault.map(|_| "true");
    field.framed(&html! {
        select id=(id) name=(id) aria-invalid=[wrong] aria-describedby=[field.fault_id()] autofocus[field.is_first_wrong] {
            @for (word, name) in options { option value=(word) selected[*word == value] { (name) } }
        }
    })
}
