//! Who takes part: processors and merchants as the front shows them. What a shard must know of them is switch-core's.

use crate::limits::PROCESSORS_ADDED_MAX;
use crate::settlement::cut_over::CutOver;
use crate::switch::growing::Growing;
use dashmap::DashMap;
use protocol::id::Xid;
use protocol::words::PaymentMethod;
use std::sync::Arc;
use switch_core::connectors::dejavoo::Register;
use switch_core::connectors::tsys::Acceptor;
use switch_core::input::OwnProcessors;

/// What kind of host a processor is. Words as in the configuration's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessorKind {
    /// Card host, ISO 8583 in TSYS style.
    TsysSierra,
    /// ACH host, XML over HTTP in Sage style.
    SageAch,
    /// Terminals behind a host, XML over HTTP in Dejavoo style.
    Dejavoo,
}

impl ProcessorKind {
    /// All of them.
    pub const ALL: [ProcessorKind; 3] = [ProcessorKind::TsysSierra, ProcessorKind::SageAch, ProcessorKind::Dejavoo];

    /// The word in the configuration and in `processor_type` of the APIs.
    pub const fn word(self) -> &'static str {
        match self {
            ProcessorKind::TsysSierra => "tsys_sierra",
            ProcessorKind::SageAch => "sage_ach",
            ProcessorKind::Dejavoo => "dejavoo",
        }
    }

    /// From the word.
    pub fn from_word(word: &str) -> Option<ProcessorKind> {
        ProcessorKind::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The means of payment that it takes.
    pub const fn method(self) -> PaymentMethod {
        match self {
            ProcessorKind::TsysSierra => PaymentMethod::Card,
            ProcessorKind::SageAch => PaymentMethod::Ach,
            ProcessorKind::Dejavoo => PaymentMethod::Terminal,
        }
    }
}

/// One processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processor {
    /// Its index in layouts, from 1.
    pub index: u16,
    /// Its id in the APIs.
    pub id: Xid,
    /// Its name in the configuration.
    pub name: String,
    /// What kind of host.
    pub kind: ProcessorKind,
}

/// All processors of this run, by index and by id. Clones are the same table.
#[derive(Debug, Clone)]
pub struct ProcessorTable(Growing<Processor>);

impl ProcessorTable {
    /// A table of these.
    pub fn new(processors: Vec<Processor>) -> ProcessorTable {
        ProcessorTable(Growing::of(processors, PROCESSORS_ADDED_MAX))
    }

    /// By the index in a transaction. `None` for 0 (none was chosen) and for one that is configured no more.
    pub fn by_index(&self, index: u16) -> Option<&Processor> {
        self.0.iter().find(|processor| processor.index == index)
    }

    /// By the id in a request.
    pub fn by_id(&self, id: &Xid) -> Option<&Processor> {
        self.0.iter().find(|processor| processor.id == *id)
    }

    /// By its name.
    pub fn by_name(&self, name: &str) -> Option<&Processor> {
        self.iter().find(|processor| processor.name == name)
    }

    /// Adds one; false when this run has no room for more.
    #[must_use]
    pub fn add(&self, processor: Processor) -> bool {
        self.0.push(processor).is_ok()
    }

    /// True while another one can be added.
    pub fn has_room(&self) -> bool {
        self.0.has_room()
    }

    /// All of them, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Processor> {
        self.0.iter()
    }
}

/// How a merchant's clients want the gateway's answers where they disagree with the document. Settings combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compat {
    /// Capture, void and refund always answer with the resulting transaction; a void's has `type` `void`.
    pub live: bool,
    /// A single add-on, discount or plan comes as an array of one.
    pub arrays: bool,
}

/// On what terms a merchant has payment links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkTerms {
    /// What is kept of each pay-in, hundredths of a percent.
    pub service_fee_bp: u32,
    /// When payouts are made.
    pub payout_at: CutOver,
    /// Requests a second that one key may make.
    pub requests_per_s: u32,
    /// Requests that one key may make at once after a rest.
    pub requests_burst: u32,
}

/// A merchant, as the front must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merchant {
    /// The account.
    pub id: Xid,
    /// Its name.
    pub name: String,
    /// False refuses every request.
    pub active: bool,
    /// True for the sandbox's own merchant: the document's long-expired sample card is good there.
    pub sandbox: bool,
    /// Duplicate window, seconds; 0 turns it off.
    pub duplicate_window_s: u32,
    /// The processors that take its payments when a request names none and no route matches.
    pub processors: OwnProcessors,
    /// How its clients want answers.
    pub compat: Compat,
    /// Terms of its payment links.
    pub links: LinkTerms,
}

/// All merchants of this run. Clones are the same table.
#[derive(Debug, Clone, Default)]
pub struct MerchantTable(Arc<DashMap<Xid, Arc<Merchant>>>);

impl MerchantTable {
    /// A table of these.
    pub fn of(merchants: impl IntoIterator<Item = Merchant>) -> MerchantTable {
        let shared = merchants.into_iter().map(|merchant| (merchant.id, Arc::new(merchant)));
        MerchantTable(Arc::new(shared.collect()))
    }

    /// All of them, by their ids.
    pub fn all(&self) -> Vec<Arc<Merchant>> {
        let mut all: Vec<Arc<Merchant>> = self.0.iter().map(|merchant| Arc::clone(&merchant)).collect();
        all.sort_unstable_by_key(|merchant| merchant.id);
        all
    }

    /// By its account.
    pub fn get(&self, id: &Xid) -> Option<Arc<Merchant>> {
        self.0.get(id).map(|merchant| Arc::clone(&merchant))
    }

    /// A merchant as it is from now on, new or changed.
    pub fn put(&self, merchant: Merchant) {
        self.0.insert(merchant.id, Arc::new(merchant));
    }
}

/// Where each merchant's cards are taken, as the hosts know it. Clones are the same table.
#[derive(Debug, Clone, Default)]
pub struct AcceptorTable(Arc<DashMap<Xid, Arc<Acceptor>>>);

impl AcceptorTable {
    /// A table of these, by account.
    pub fn of(acceptors: impl IntoIterator<Item = (Xid, Acceptor)>) -> AcceptorTable {
        let shared = acceptors.into_iter().map(|(merchant, acceptor)| (merchant, Arc::new(acceptor)));
        AcceptorTable(Arc::new(shared.collect()))
    }

    /// A merchant's.
    pub fn get(&self, merchant: &Xid) -> Option<Arc<Acceptor>> {
        self.0.get(merchant).map(|acceptor| Arc::clone(&acceptor))
    }

    /// A merchant's as it is from now on.
    pub fn put(&self, merchant: Xid, acceptor: Acceptor) {
        self.0.insert(merchant, Arc::new(acceptor));
    }
}

/// A terminal, as payments name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtTerminal {
    /// Whose it is.
    pub merchant: Xid,
    /// False takes no new payment.
    pub active: bool,
    /// As the processor knows it.
    pub register: Register,
}

/// All terminals of this run. Clones are the same table.
#[derive(Debug, Clone, Default)]
pub struct TerminalTable(Arc<DashMap<Xid, Arc<AtTerminal>>>);

impl TerminalTable {
    /// A table of these, by their ids.
    pub fn of(terminals: impl IntoIterator<Item = (Xid, AtTerminal)>) -> TerminalTable {
        let shared = terminals.into_iter().map(|(id, terminal)| (id, Arc::new(terminal)));
        TerminalTable(Arc::new(shared.collect()))
    }

    /// By its id.
    pub fn get(&self, id: &Xid) -> Option<Arc<AtTerminal>> {
        self.0.get(id).map(|terminal| Arc::clone(&terminal))
    }

    /// The first of a merchant's: what is said of all of them is said by it.
    pub fn any_of(&self, merchant: &Xid) -> Option<Arc<AtTerminal>> {
        let own = self.0.iter().filter(|terminal| terminal.merchant == *merchant);
        own.min_by_key(|terminal| *terminal.key()).map(|terminal| Arc::clone(&terminal))
    }

    /// A terminal as it is from now on, new or changed.
    pub fn put(&self, id: Xid, terminal: AtTerminal) {
        self.0.insert(id, Arc::new(terminal));
    }
}
