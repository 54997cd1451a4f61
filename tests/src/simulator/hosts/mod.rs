//! The processors' hosts: the sandbox's, with ledgers of their own that outlive them. Cards come over connections that stay, bank
//! accounts and terminals in requests of their own.

mod cards;
mod web;

use crate::simulator::check::Checks;
use crate::simulator::event::{Carried, HostTask, Life};
use crate::simulator::setup::Setup;
use crate::simulator::stage::Stage;
use crate::simulator::wires::Wires;
use cards::CardHost;
pub use cards::seen;
use protocol::words::PaymentMethod;
use sandbox::ledger::Row;
use web::WebHostMachine;

/// A host, and the machine that it runs on.
pub enum HostMachine {
    /// Of cards.
    Cards(Box<CardHost>),
    /// Of bank accounts, or of terminals.
    Web(Box<WebHostMachine>),
}

/// What can be seen of a host from outside.
#[derive(Debug, Clone, Copy)]
pub struct Reachable {
    /// Whether it takes connections.
    pub is_up: bool,
    /// Its present life.
    pub life: Life,
}

impl HostMachine {
    /// The host of a processor, with an empty ledger; `at` is its index among hosts.
    pub fn new(at: usize, setup: &Setup) -> HostMachine {
        let terms = &setup.processors[at];
        match terms.method {
            PaymentMethod::Card => HostMachine::Cards(Box::new(CardHost::new(at, terms.index, setup.hosts_forget_totals))),
            PaymentMethod::Ach | PaymentMethod::Terminal => HostMachine::Web(Box::new(WebHostMachine::new(at, setup))),
        }
    }

    /// What it believes.
    pub fn ledger(&self) -> &[Row] {
        match self {
            HostMachine::Cards(host) => host.ledger(),
            HostMachine::Web(host) => host.ledger(),
        }
    }

    /// Whether it takes connections, and its present life: what was planned for another is void.
    pub fn reachable(&self) -> Reachable {
        match self {
            HostMachine::Cards(host) => Reachable { is_up: host.is_up, life: host.life() },
            HostMachine::Web(host) => Reachable { is_up: host.is_up, life: host.life() },
        }
    }

    /// It takes connections again.
    pub fn come_back(&mut self) {
        match self {
            HostMachine::Cards(host) => host.is_up = true,
            HostMachine::Web(host) => host.is_up = true,
        }
    }

    /// It goes away, in order or not. Its machine may leave connections that nobody closes.
    pub fn go_down(&mut self, stage: &mut Stage, wires: &mut Wires) {
        match self {
            HostMachine::Cards(host) => host.go_down(stage, wires),
            HostMachine::Web(host) => host.go_down(stage),
        }
    }

    /// It dies, and a new one begins with what the ledger has.
    pub fn crash(&mut self, stage: &mut Stage, wires: &mut Wires) {
        match self {
            HostMachine::Cards(host) => host.crash(stage, wires),
            HostMachine::Web(host) => host.crash(stage),
        }
    }

    /// Something comes out of a connection that stays.
    pub fn carried(&mut self, stage: &mut Stage, wires: &mut Wires, checks: &mut Checks, connection: u64, what: Carried) {
        match self {
            HostMachine::Cards(host) => host.carried(stage, wires, checks, connection, what),
            HostMachine::Web(_) => panic!("nothing stays connected to a host that is asked by HTTP"),
        }
    }

    /// Does what it had planned.
    pub fn perform(&mut self, stage: &mut Stage, wires: &mut Wires, checks: &mut Checks, task: HostTask) {
        match self {
            HostMachine::Cards(host) => host.perform(stage, wires, checks, task),
            HostMachine::Web(host) => host.perform(stage, checks, task),
        }
    }

    /// An operator has its people take a transaction back. False where they have nothing to go by, or are away.
    pub fn takes_back(&mut self, stage: &mut Stage, checks: &mut Checks, rrn: [u8; 12]) -> bool {
        match self {
            HostMachine::Cards(host) => host.takes_back(stage, checks, rrn),
            // They have no paper: a bank or a shop is asked by its own words only.
            HostMachine::Web(_) => false,
        }
    }
}
