//! The kinds of events: what an event is about, and what became of that.

/// Declares one half of a kind: `Variant = number, "word"`. Numbers are stored, so they are frozen.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal, $word:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant = $number,)+ }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The word in the APIs.
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }

            fn from_number(number: u16) -> Option<$name> {
                $name::ALL.iter().copied().find(|one| *one as u16 == number)
            }

            fn from_word(word: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|one| one.word() == word)
            }
        }
    };
}

words! {
    /// What an event is about.
    Subject {
        /// A transaction: its events are the projection's.
        Transaction = 1, "transaction";
        /// An invoice.
        Invoice = 2, "invoice";
        /// An order.
        Order = 3, "order";
        /// A payment request.
        PaymentRequest = 4, "payment_request";
        /// A payment link.
        PaymentLink = 5, "payment_link";
        /// A payout of a day's pay-ins.
        Payout = 6, "payout";
        /// A month's invoice of fees.
        FeeInvoice = 7, "fee_invoice";
        /// A subscription.
        Subscription = 8, "subscription";
        /// A webhook endpoint: a trial of it.
        Webhook = 9, "webhook";
    }
}

words! {
    /// What became of it.
    Became {
        /// It was made.
        Created = 1, "created";
        /// A payment of it is under way.
        Pending = 2, "pending";
        /// Funds are held.
        Authorized = 3, "authorized";
        /// Captured; a sale is that at once.
        Captured = 4, "captured";
        /// Refused by the processor or by the gateway.
        Declined = 5, "declined";
        /// No explicit answer in time; a reversal is on its way.
        Unknown = 6, "unknown";
        /// Its reversal is acknowledged.
        Reversed = 7, "reversed";
        /// Cancelled by the merchant before settlement.
        Voided = 8, "voided";
        /// In an accepted settlement batch.
        Settled = 9, "settled";
        /// A part of it was paid back.
        PartiallyRefunded = 10, "partially_refunded";
        /// All of it was paid back.
        Refunded = 11, "refunded";
        /// A refund of it did not come about after all.
        RefundUndone = 12, "refund_undone";
        /// Its bank has sent it back.
        Returned = 13, "returned";
        /// Its bank says that the account's data have changed.
        ChangeNotified = 14, "change_notified";
        /// Paid.
        Paid = 15, "paid";
        /// A part of it is paid.
        PartiallyPaid = 16, "partially_paid";
        /// It is not to be paid any more.
        Cancelled = 17, "cancelled";
        /// It was not paid in time.
        Expired = 18, "expired";
        /// Its payment did not come about.
        Failed = 19, "failed";
        /// Its merchant has changed it.
        Changed = 20, "changed";
        /// It is over, as it was agreed.
        Ended = 21, "ended";
        /// It was asked for by the merchant, to try the way.
        Tried = 22, "tried";
    }
}

/// What an event tells: `order.paid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventKind {
    /// What it is about.
    pub subject: Subject,
    /// What became of it.
    pub became: Became,
}

/// Between the halves of a stored number.
const HALF: u16 = 100;

impl EventKind {
    /// `subject.became`.
    pub const fn new(subject: Subject, became: Became) -> EventKind {
        EventKind { subject, became }
    }

    /// As it is stored.
    pub(crate) const fn number(self) -> u16 {
        self.subject as u16 * HALF + self.became as u16
    }

    pub(crate) fn from_number(number: u16) -> Option<EventKind> {
        let subject = Subject::from_number(number / HALF)?;
        Some(EventKind { subject, became: Became::from_number(number % HALF)? })
    }

    /// `order.paid`, as the APIs say it.
    pub fn word(self) -> String {
        format!("{}.{}", self.subject.word(), self.became.word())
    }
}

/// Which kinds a receiver asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindFilter {
    /// `*`: all.
    All,
    /// `order.*`: all of one subject.
    Of(Subject),
    /// `order.paid`: one.
    One(EventKind),
}

impl KindFilter {
    /// From the word in the APIs; `None` when it names nothing.
    pub fn from_word(word: &str) -> Option<KindFilter> {
        if word == "*" {
            return Some(KindFilter::All);
        }
        let (subject, became) = word.split_once('.')?;
        let subject = Subject::from_word(subject)?;
        match became {
            "*" => Some(KindFilter::Of(subject)),
            _ => Some(KindFilter::One(EventKind { subject, became: Became::from_word(became)? })),
        }
    }

    /// The word in the APIs.
    pub fn word(self) -> String {
        match self {
            KindFilter::All => "*".into(),
            KindFilter::Of(subject) => format!("{}.*", subject.word()),
            KindFilter::One(kind) => kind.word(),
        }
    }

    /// Whether it asks for a kind.
    pub fn takes(self, kind: EventKind) -> bool {
        match self {
            KindFilter::All => true,
            KindFilter::Of(subject) => kind.subject == subject,
            KindFilter::One(one) => kind == one,
        }
    }
}
