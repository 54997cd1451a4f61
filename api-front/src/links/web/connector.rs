//! Which connector speaks to a processor, and the moment in which a sealed account is open.

use super::super::Shared;
use super::super::order::Order;
use crate::config::Password;
use crate::switch::directory::{AcceptorTable, TerminalTable};
use crate::switch::sensitive_table::SensitiveTable;
use persistence::PersistenceError;
use persistence::sealing::Sealer;
use protocol::id::Xid;
use protocol::secret::{AccountNumber, LicenceNumber};
use protocol::tail::{Tail, tag};
use protocol::transaction::Transaction;
use std::sync::Arc;
use switch_core::connectors::exchange::{Came, HttpRequest, Next};
use switch_core::connectors::{dejavoo, sage};
use switch_core::input::Leg;
use switch_core::output::Request;
use zeroize::Zeroizing;

/// What a connector writes its requests from.
pub enum Connector {
    /// Bank accounts, Sage-style.
    Sage {
        /// Opens sealed accounts; nowhere else but here.
        sealer: Arc<Sealer>,
        /// As whom each merchant presents its entries.
        acceptors: AcceptorTable,
        /// What proves each of them.
        password: Zeroizing<String>,
    },
    /// Terminals, Dejavoo-style.
    Dejavoo {
        /// All of them.
        terminals: TerminalTable,
        /// Card verification values on their way.
        sensitive: Arc<SensitiveTable>,
    },
}

/// A request on its way to its answer.
#[derive(Debug)]
pub enum Exchange {
    /// Of a bank account.
    Sage(sage::Exchange),
    /// At a terminal.
    Dejavoo(Box<dejavoo::Exchange>),
}

impl Exchange {
    /// What came of its last request, and so what is next.
    pub fn came(&mut self, came: Came<'_>) -> Next {
        match self {
            Exchange::Sage(exchange) => exchange.came(came),
            Exchange::Dejavoo(exchange) => exchange.came(came),
        }
    }
}

/// Why a request can't be written. All of it is ours to mend; the processor saw nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    /// A merchant that hosts do not know.
    #[error("the merchant has no terminal number")]
    NoAcceptor,
    /// A terminal that is not there, or another merchant's.
    #[error("the merchant has no such terminal")]
    NoTerminal,
    /// No account was sealed into it.
    #[error("no account travels with it")]
    NoAccount,
    /// What was sealed can't be opened.
    #[error("{0}")]
    Sealed(PersistenceError),
    /// It does not fit the processor's messages.
    #[error("{0}")]
    Account(sage::Unwritable),
    /// It does not fit the processor's messages.
    #[error("{0}")]
    Terminal(dejavoo::Unwritable),
}

impl Connector {
    /// For bank accounts.
    pub fn sage(shared: &Shared, password: Option<&Password>) -> Connector {
        let password = password.map(|password| password.expose().to_owned().into()).unwrap_or_default();
        Connector::Sage { sealer: Arc::clone(&shared.sealer), acceptors: shared.acceptors.clone(), password }
    }

    /// For terminals.
    pub fn dejavoo(shared: &Shared) -> Connector {
        Connector::Dejavoo { terminals: shared.terminals.clone(), sensitive: Arc::clone(&shared.sensitive) }
    }

    /// What does one thing at a time, of all that the request would go to: a terminal.
    pub fn lane(&self, order: &Order) -> Option<Xid> {
        match self {
            Connector::Sage { .. } => None,
            Connector::Dejavoo { .. } => order.transaction().and_then(|(_, tail)| terminal_of(tail)),
        }
    }

    /// Writes the first request.
    pub fn begin(&self, processor: u16, order: &Order) -> Result<(Exchange, HttpRequest), NotBegun> {
        let request = Request { processor, sent: order.sent, repeat: order.repeat, subject: order.subject() };
        match self {
            Connector::Sage { sealer, acceptors, password } => {
                let acceptor = acceptors.get(&order.merchant()).ok_or(NotBegun::NoAcceptor)?;
                let originator = sage::Originator { user_name: acceptor.terminal.clone(), password: password.clone() };
                let opened = order.transaction().map(|(transaction, tail)| Opened::of(sealer, transaction, tail)).transpose()?;
                let account = opened.as_ref().map(Opened::data);
                let outgoing = sage::Outgoing { request, originator: &originator, account };
                let (exchange, http) = sage::Exchange::begin(&outgoing).map_err(NotBegun::Account)?;
                Ok((Exchange::Sage(exchange), http))
            }
            Connector::Dejavoo { terminals, sensitive } => {
                let terminal = match self.lane(order) {
                    Some(id) => terminals.get(&id).filter(|terminal| terminal.merchant == order.merchant()),
                    None => terminals.any_of(&order.merchant()),
                };
                let terminal = terminal.ok_or(NotBegun::NoTerminal)?;
                let data = if order.sent.leg == Leg::Original { sensitive.take(&order.sent.id) } else { None };
                let cvv = data.as_ref().and_then(|data| data.cvv.as_ref());
                let outgoing = dejavoo::Outgoing { request, register: &terminal.register, cvv };
                let (exchange, http) = dejavoo::Exchange::begin(&outgoing).map_err(NotBegun::Terminal)?;
                Ok((Exchange::Dejavoo(Box::new(exchange)), http))
            }
        }
    }
}

fn terminal_of(tail: Tail<'_>) -> Option<Xid> {
    tail.text(tag::TERMINAL_ID).parse().ok()
}

/// An account that is open; its parts are wiped when dropped.
struct Opened {
    routing: String,
    number: AccountNumber,
    licence: Option<LicenceNumber>,
}

impl Opened {
    fn of(sealer: &Sealer, transaction: &Transaction, tail: Tail<'_>) -> Result<Opened, NotBegun> {
        let (merchant, fingerprint) = (&transaction.merchant, &transaction.fingerprint);
        let sealed = tail.get(tag::SEALED_ACCOUNT).ok_or(NotBegun::NoAccount)?;
        let (routing, number) = sealer.open_account(sealed, merchant, fingerprint).map_err(NotBegun::Sealed)?;
        let licence = tail.get(tag::SEALED_DL_NUMBER).map(|sealed| sealer.open_licence(sealed, merchant, fingerprint));
        Ok(Opened { routing, number, licence: licence.transpose().map_err(NotBegun::Sealed)? })
    }

    fn data(&self) -> sage::AccountData<'_> {
        sage::AccountData { routing: &self.routing, number: &self.number, licence: self.licence.as_ref() }
    }
}
