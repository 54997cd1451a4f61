//! The trade's closed vocabularies, each with the number that the layouts carry and the word that the APIs speak.
//!
//! Numbers are frozen: never renumbered, never reused. A number of a later version survives in the layouts' raw bytes;
//! reading it gives `None`, and whoever reads decides what that means.

/// Declares a closed vocabulary: `Variant = number, "word"`.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal, $word:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$doc])* $variant = $number,)+ }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// From the number in a layout.
            pub fn from_number(number: u8) -> Option<$name> {
                match number { $($number => Some($name::$variant),)+ _ => None }
            }

            /// The number in a layout.
            pub const fn number(self) -> u8 { self as u8 }

            /// The word in the APIs.
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }

            /// From the word in the APIs, lower case.
            pub fn from_word(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

vocabulary! {
    /// What a command asks for. The first five create a transaction and are its type; the others act on one.
    Verb {
        /// Authorize and capture at once.
        Sale = 1, "sale";
        /// Hold funds, capture later.
        Authorize = 2, "authorize";
        /// Pay out to a card without reference to an earlier sale.
        Credit = 3, "credit";
        /// Check a card without holding funds, amount 0.
        Verification = 4, "verification";
        /// Pay back all or part of a settled transaction. A transaction of its own that names its parent.
        Refund = 5, "refund";
        /// Capture an authorization, all or part of it, once.
        Capture = 6, "capture";
        /// Cancel a transaction before it is settled.
        Void = 7, "void";
    }
}

impl Verb {
    /// True when a command of this verb makes a transaction of its own.
    pub const fn creates(self) -> bool {
        match self {
            Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification | Verb::Refund => true,
            Verb::Capture | Verb::Void => false,
        }
    }

    /// True when the money flows to the card holder.
    pub const fn pays_out(self) -> bool {
        match self {
            Verb::Credit | Verb::Refund => true,
            Verb::Sale | Verb::Authorize | Verb::Verification | Verb::Capture | Verb::Void => false,
        }
    }
}

vocabulary! {
    /// Where a transaction stands.
    Status {
        /// Sent, not answered yet.
        Pending = 1, "pending";
        /// No explicit answer in time: a reversal is on its way.
        Unknown = 2, "unknown";
        /// Funds are held.
        Authorized = 3, "authorized";
        /// Captured, waits for its settlement batch.
        PendingSettlement = 4, "pending_settlement";
        /// In an accepted settlement batch.
        Settled = 5, "settled";
        /// Refused by the processor or by the gateway.
        Declined = 6, "declined";
        /// Cancelled by the merchant before settlement.
        Voided = 7, "voided";
        /// Cancelled by the switch: its outcome was unknown and the processor has acknowledged the reversal.
        Reversed = 8, "reversed";
        /// Settled, and a part of it paid back.
        PartiallyRefunded = 9, "partially_refunded";
        /// Settled, and all of it paid back.
        Refunded = 10, "refunded";
        /// An ACH debit that the bank has sent back.
        Returned = 11, "returned";
    }
}

impl Status {
    /// What may be asked of a transaction of this verb that stands here, as a message says it to a merchant.
    pub const fn possible(self, verb: Verb) -> &'static str {
        let is_debit = matches!(verb, Verb::Sale | Verb::Authorize);
        match self {
            Status::Authorized if matches!(verb, Verb::Authorize) => "capture or void",
            Status::Authorized | Status::PendingSettlement => "void",
            Status::Settled | Status::PartiallyRefunded if is_debit => "refund",
            Status::Settled | Status::PartiallyRefunded => "nothing",
            Status::Pending | Status::Unknown => "nothing until its outcome is known",
            Status::Declined | Status::Voided | Status::Reversed | Status::Refunded | Status::Returned => "nothing",
        }
    }
}

vocabulary! {
    /// The means of payment.
    PaymentMethod {
        /// A card, keyed or swiped.
        Card = 1, "card";
        /// A bank account by automated clearing house.
        Ach = 2, "ach";
        /// A card at a payment terminal.
        Terminal = 3, "terminal";
    }
}

vocabulary! {
    /// How the card's data came in; ISO 8583 DE22 says it to the processor.
    EntryType {
        /// Number typed in.
        Keyed = 1, "keyed";
        /// Magnetic stripe read, track data at hand.
        Swiped = 2, "swiped";
    }
}

vocabulary! {
    /// Through which door a command came.
    Source {
        /// The REST API.
        Api = 1, "api";
        /// The binary protocol.
        Binary = 2, "binary";
        /// A page of ours in a shopper's browser.
        HostedPage = 3, "hosted_page";
        /// The recurring scheduler.
        Recurring = 4, "recurring";
    }
}

vocabulary! {
    /// A card's brand, from its issuer identification number.
    Brand {
        /// Not in any known range.
        Unknown = 0, "unknown";
        /// Visa.
        Visa = 1, "visa";
        /// Mastercard.
        Mastercard = 2, "mastercard";
        /// American Express.
        Amex = 3, "amex";
        /// Discover.
        Discover = 4, "discover";
        /// Diners Club.
        Diners = 5, "diners";
        /// JCB.
        Jcb = 6, "jcb";
        /// UnionPay.
        UnionPay = 7, "unionpay";
        /// Maestro.
        Maestro = 8, "maestro";
    }
}

vocabulary! {
    /// What became of one request to a processor.
    ExchangeState {
        /// None was made.
        None = 0, "none";
        /// Sent or about to be; no answer yet.
        InFlight = 1, "in_flight";
        /// Answered: approved.
        Approved = 2, "approved";
        /// Answered: declined.
        Declined = 3, "declined";
        /// No explicit answer in time.
        Unknown = 4, "unknown";
        /// Provably never written to the processor.
        NotSent = 5, "not_sent";
    }
}

vocabulary! {
    /// Where the reversal of a transaction stands in the store-and-forward queue.
    ReversalState {
        /// None is needed.
        None = 0, "none";
        /// Durable in the queue, sent and repeated until acknowledged.
        Queued = 1, "queued";
        /// Acknowledged by the processor.
        Done = 2, "done";
        /// An operator has taken it over; it is not repeated any more.
        TakenOver = 3, "taken_over";
    }
}

vocabulary! {
    /// Why a reversal was queued.
    ReversalReason {
        /// No reason: there is no reversal.
        None = 0, "none";
        /// No answer before the deadline.
        Timeout = 1, "timeout";
        /// The connection broke, or the switch restarted, with the request in flight.
        Lost = 2, "lost";
        /// Approved in part where the request did not allow it.
        PartialNotAllowed = 3, "partial_not_allowed";
        /// Approved, and denied by a rule that is asked after the answer.
        DeniedByRule = 4, "denied_by_rule";
    }
}

vocabulary! {
    /// Why a payment went to its processor.
    Basis {
        /// It went to none, or no table was asked.
        None = 0, "none";
        /// The request named it.
        Named = 1, "named";
        /// A route's weights drew it.
        Weight = 2, "weight";
        /// A route falls back on it.
        FailOver = 3, "fail_over";
        /// No route matched: it is the merchant's own.
        Merchant = 4, "merchant";
        /// All that the route names are ill; it is the least bad.
        LastResort = 5, "last_resort";
    }
}

vocabulary! {
    /// Why a processor that a route names was passed over.
    SkipReason {
        /// This switch does not know it any more.
        NotThere = 1, "not_there";
        /// It takes no new payments: drained or disabled.
        Off = 2, "off";
        /// Its circuit is open.
        CircuitOpen = 3, "circuit_open";
        /// It has no trace number free.
        AtItsLimit = 4, "at_its_limit";
        /// The payment was offered to it and provably never sent.
        NotSent = 5, "not_sent";
        /// It does not take this means of payment.
        OtherMethod = 6, "other_method";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_lead_back_to_the_same_variant() {
        for &status in Status::ALL {
            assert_eq!(Status::from_number(status.number()), Some(status));
            assert_eq!(Status::from_word(status.word()), Some(status));
        }
        assert_eq!(Status::from_number(0), None);
        assert_eq!(Verb::from_number(8), None);
        assert_eq!(Brand::from_number(0), Some(Brand::Unknown));
    }
}
