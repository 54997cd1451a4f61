//! What a shopper can pay a payable with: a card, or a bank account whose holder has agreed to a debit.

use super::{Page, Payables};
use crate::intake::{Account, Card, Instrument};
use persistence::stores::Payable;
use protocol::money::Currency;
use protocol::nacha::file::ENTRY_AMOUNT_MAX_MINOR;
use protocol::tail::{self, tag};

/// What a shopper agrees to on a page of the Internet, in the words of the National Automated Clearing House Association.
const AGREED_ON_THE_WEB: &str = "web";

/// What a payable is paid with.
#[derive(Debug)]
pub enum Means {
    /// A card.
    Card(Card),
    /// A bank account, whose holder has agreed to be debited.
    Account(Account, AccountType),
}

/// What kind of account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountType {
    /// For daily payments.
    Checking,
    /// For savings.
    Savings,
}

impl AccountType {
    /// Both.
    pub const ALL: [AccountType; 2] = [AccountType::Checking, AccountType::Savings];

    /// The word in the APIs.
    pub const fn word(self) -> &'static str {
        match self {
            AccountType::Checking => "checking",
            AccountType::Savings => "savings",
        }
    }
}

impl Means {
    /// The processor that its merchant wants for it, as text.
    pub(super) fn processor_id<'p>(&self, page: &'p Page) -> &'p str {
        match self {
            Means::Card(_) => &page.processor_id,
            Means::Account(..) => &page.ach_processor_id,
        }
    }

    /// What of it travels in the open. Tags ascend.
    pub(super) fn push_travelling(&self, out: &mut Vec<u8>) {
        match self {
            Means::Card(_) => {}
            Means::Account(account, account_type) => {
                tail::push(out, tag::SEC_CODE, AGREED_ON_THE_WEB.as_bytes());
                tail::push(out, tag::ACCOUNT_TYPE, account_type.word().as_bytes());
                tail::push(out, tag::ROUTING_NUMBER, account.routing.as_bytes());
                tail::push(out, tag::MASKED_ACCOUNT, account.number.masked().as_bytes());
            }
        }
    }

    pub(super) fn instrument(self) -> Instrument {
        match self {
            Means::Card(card) => Instrument::Card(card),
            Means::Account(account, _) => Instrument::Account(account),
        }
    }
}

impl Payables {
    /// Whether what is due of it can be debited from a bank account: its merchant has a processor for that, which knows dollars only.
    pub fn takes_accounts(&self, payable: &Payable, page: &Page) -> bool {
        let has_processor = || {
            let merchant = self.0.switch.merchant(&payable.merchant);
            !page.ach_processor_id.is_empty() || merchant.is_some_and(|merchant| merchant.processors.ach != 0)
        };
        page.takes_accounts && payable.currency == Currency::USD && payable.due() <= ENTRY_AMOUNT_MAX_MINOR && has_processor()
    }
}
