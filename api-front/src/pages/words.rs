//! What a shopper is told of an attempt that came to nothing. A bank's reasons are its own: what might help a thief is not said.

use super::form::By;
use protocol::response_code::ResponseCode;

/// Why, and what may be done.
pub(super) fn of_decline(code: ResponseCode, by: By) -> (&'static str, &'static str) {
    match code {
        ResponseCode::COMMUNICATION_ERROR | ResponseCode::PROCESSOR_ERROR => (
            "Your bank could not be reached.",
            "Try again in a moment. Should your bank show the amount, it is taken back by itself.",
        ),
        ResponseCode::INVALID_MERCHANT_CONFIGURATION => {
            ("The seller can't take this payment at the moment.", "Please get in touch with the seller.")
        }
        _ => match by {
            By::Card => of_card(code),
            By::Account => of_account(code),
        },
    }
}

fn of_account(code: ResponseCode) -> (&'static str, &'static str) {
    match code {
        ResponseCode::INSUFFICIENT_FUNDS => ("There is not enough money in this account.", "Pay from another account."),
        ResponseCode::NO_SUCH_ISSUER | ResponseCode::NO_CREDIT_ACCOUNT => {
            ("No bank knows this account.", "Check the numbers, or pay from another account.")
        }
        _ => ("Your bank has declined the payment.", "Try again, or pay in another way."),
    }
}

fn of_card(code: ResponseCode) -> (&'static str, &'static str) {
    const ANOTHER: &str = "Try again, or pay with another card.";
    match code {
        ResponseCode::INSUFFICIENT_FUNDS => ("There is not enough money on this card.", "Pay with another card."),
        ResponseCode::EXCEEDS_WITHDRAWAL_LIMIT => ("This is more than the card's limit allows.", "Pay with another card."),
        ResponseCode::EXPIRED_CARD => ("This card has expired.", "Pay with another card."),
        ResponseCode::INVALID_CVC => ("The security code is wrong.", "Check it, and try again."),
        ResponseCode::NO_SUCH_ISSUER | ResponseCode::NO_CREDIT_ACCOUNT => {
            ("No bank knows this card.", "Check the number, or pay with another card.")
        }
        _ => ("Your bank has declined the payment.", ANOTHER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::response_code::TABLE;

    #[test]
    fn nobody_is_told_that_a_card_is_stolen_or_a_rule_has_struck() {
        for (row, by) in TABLE.iter().flat_map(|row| [(row, By::Card), (row, By::Account)]) {
            let (why, _) = of_decline(row.code, by);
            let told = why.to_lowercase();
            assert!(!["stolen", "lost", "fraud", "rule", "pick up"].iter().any(|word| told.contains(word)), "{told}");
        }
        assert_eq!(of_decline(ResponseCode::STOLEN_CARD, By::Card), of_decline(ResponseCode::DO_NOT_HONOR, By::Card));
    }
}
