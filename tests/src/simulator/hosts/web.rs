//! A host that is asked by HTTP: the sandbox's bank accounts or terminals. A request, and an answer, meets its fate at the door.

use super::cards::LATE_MS;
use crate::simulator::check::Checks;
use crate::simulator::event::{Event, HostTask, Life};
use crate::simulator::faults::{AnswerFate, Fault, RequestFate, Seen};
use crate::simulator::setup::Setup;
use crate::simulator::stage::Stage;
use crate::simulator::web::{Asker, WebCame, WebRequest, tell};
use protocol::words::PaymentMethod;
use sandbox::faults::Faults;
use sandbox::ledger::{ROW_BYTES, Row};
use sandbox::web::{Reply, WebHost};
use sandbox::{sage, spin};
use std::collections::BTreeMap;
use switch_core::input::ProcessorTerms;

/// In place of a request's body, or of an answer's.
const GARBAGE: &[u8] = b"<xmp><not a request";

/// A host of bank accounts or terminals, and the machine that it runs on.
pub struct WebHostMachine {
    /// Its index among hosts.
    at: usize,
    processor: u16,
    method: PaymentMethod,
    faults: Faults,
    host: Box<dyn WebHost>,
    /// Rows written away.
    ledger: Vec<Row>,
    life: Life,
    /// Whether it answers at all.
    pub is_up: bool,
    /// Who waits while somebody is at work, by the host's ticket; nobody any more when the connection is gone.
    waiting: BTreeMap<u64, Option<Asker>>,
}

impl WebHostMachine {
    /// The host of a processor, with an empty ledger.
    pub fn new(at: usize, setup: &Setup) -> WebHostMachine {
        let ProcessorTerms { index: processor, method, .. } = setup.processors[at];
        // At a bank nobody waits for a person.
        let person_ms = if method == PaymentMethod::Terminal { setup.person_ms } else { 0 };
        let faults = Faults { delay_ms: [person_ms; 2], forget_totals: setup.hosts_forget_totals, ..Faults::default() };
        let (host, waiting) = (fresh(method, &faults), BTreeMap::new());
        WebHostMachine { at, processor, method, faults, host, ledger: Vec::new(), life: 1, is_up: true, waiting }
    }

    /// What it believes.
    pub fn ledger(&self) -> &[Row] {
        &self.ledger
    }

    /// Its present life: what was planned for another is void.
    pub fn life(&self) -> Life {
        self.life
    }

    /// It goes away: whoever waits learns it. What somebody is at goes on.
    pub fn go_down(&mut self, stage: &mut Stage) {
        self.is_up = false;
        for asker in self.waiting.values_mut() {
            break_off(stage, asker.take());
        }
    }

    /// It dies, and a new one begins with what the ledger has: what somebody was at has never been.
    pub fn crash(&mut self, stage: &mut Stage) {
        self.go_down(stage);
        self.waiting.clear();
        self.life += 1;
        self.host = fresh(self.method, &self.faults);
        for row in &self.ledger {
            self.host.reload(row);
        }
    }

    /// Does what it had planned.
    pub fn perform(&mut self, stage: &mut Stage, checks: &mut Checks, task: HostTask) {
        match task {
            HostTask::Arrives { asker, request } => self.arrives(stage, checks, asker, request),
            HostTask::TakeRequest { asker, request } => self.take(stage, checks, asker, &request),
            HostTask::Answer { asker, status, body } => self.answer(stage, asker, status, body),
            HostTask::HangUp { asker } => break_off(stage, Some(asker)),
            HostTask::Resume { ticket } => {
                self.resume(stage, checks, ticket, true);
                self.resume_others(stage, checks);
            }
            HostTask::Take { .. } | HostTask::Say { .. } | HostTask::Forget { .. } => {
                panic!("a host that is asked by HTTP has no connections that stay")
            }
        }
    }

    fn arrives(&mut self, stage: &mut Stage, checks: &mut Checks, asker: Asker, request: WebRequest) {
        if !self.is_up {
            return break_off(stage, Some(asker));
        }
        checks.web_host_takes(self.processor, &request.asked());
        let fate = stage.fates.request(&unseen(self.processor), &mut stage.dice);
        let take = |asker, request| HostTask::TakeRequest { asker, request };
        match fate {
            RequestFate::Arrives => self.plan(stage, 1, take(Some(asker), request)),
            // Totals that come twice with one send would be found used by themselves.
            RequestFate::Twice(_) if self.faults.forget_totals => self.plan(stage, 1, take(Some(asker), request)),
            RequestFate::Lost => stage.struck(Fault::RequestLost),
            RequestFate::Late(us) => {
                stage.struck(Fault::RequestLate);
                self.plan(stage, us, take(Some(asker), request));
            }
            RequestFate::Twice(us) => {
                stage.struck(Fault::RequestTwice);
                self.plan(stage, 1, take(Some(asker), request.clone()));
                // Whoever stands in between has sent it again, and hears of it alone.
                self.plan(stage, us, take(None, request));
            }
            RequestFate::Garbled => {
                stage.struck(Fault::RequestGarbled);
                self.plan(stage, 1, take(Some(asker), WebRequest { body: GARBAGE.to_vec(), ..request }));
            }
            RequestFate::Cut => {
                stage.struck(Fault::ConnectionCut);
                break_off(stage, Some(asker));
            }
        }
    }

    fn take(&mut self, stage: &mut Stage, checks: &mut Checks, asker: Option<Asker>, request: &WebRequest) {
        if !self.is_up {
            return break_off(stage, asker);
        }
        let reply = self.host.accept(stage.now(), &request.asked());
        stage.counts.frames += 1;
        stage.tell(format_args!("host {} takes {} {}", self.processor, request.method, request.path));
        self.write_rows(stage, checks);
        self.bring_to_end(stage, asker, reply);
        self.resume_others(stage, checks);
    }

    /// What a request has changed may decide what somebody is at.
    fn resume_others(&mut self, stage: &mut Stage, checks: &mut Checks) {
        for ticket in self.waiting.keys().copied().collect::<Vec<_>>() {
            self.resume(stage, checks, ticket, false);
        }
    }

    fn resume(&mut self, stage: &mut Stage, checks: &mut Checks, ticket: u64, is_due: bool) {
        let Some(asker) = self.waiting.get(&ticket).copied() else { return };
        let reply = self.host.resume(stage.now(), ticket, is_due);
        if matches!(reply, Reply::Wait { .. }) {
            return;
        }
        self.waiting.remove(&ticket);
        self.write_rows(stage, checks);
        self.bring_to_end(stage, asker, reply);
    }

    fn bring_to_end(&mut self, stage: &mut Stage, asker: Option<Asker>, reply: Reply) {
        let think_us = stage.dice.between(50, 5_000);
        match (reply, asker) {
            (Reply::Wait { ticket, ms }, asker) => {
                self.waiting.insert(ticket, asker);
                self.plan(stage, u64::from(ms) * 1_000, HostTask::Resume { ticket });
            }
            (Reply::Answer(answer, delay_ms), Some(asker)) => {
                let task = HostTask::Answer { asker, status: answer.status, body: answer.body };
                self.plan(stage, think_us + u64::from(delay_ms) * 1_000, task);
            }
            (Reply::Cut, Some(asker)) => self.plan(stage, think_us, HostTask::HangUp { asker }),
            (Reply::Silent, _) | (Reply::Answer(..) | Reply::Cut, None) => {}
        }
    }

    /// The ledger comes before the answer, as in the sandbox.
    fn write_rows(&mut self, stage: &mut Stage, checks: &mut Checks) {
        for bytes in self.host.unwritten().chunks(ROW_BYTES) {
            let row = Row::open(bytes).expect("a host writes sound rows");
            let (kind, amount, action) = (row.kind(), row.amount, String::from_utf8_lossy(&row.action).into_owned());
            let rrn = String::from_utf8_lossy(&row.rrn).into_owned();
            stage.tell(format_args!("host {} writes {kind:?} of {amount} rrn {rrn}: {action}", self.processor));
            checks.host_row(self.processor, &row);
            self.ledger.push(row);
        }
        self.host.rows_written();
    }

    fn answer(&mut self, stage: &mut Stage, asker: Asker, status: u16, body: Vec<u8>) {
        let fate = stage.fates.answer(&unseen(self.processor), body.len(), &mut stage.dice);
        match fate {
            // A second answer on a connection is nobody's.
            AnswerFate::Leaves | AnswerFate::Twice(_) => tell(stage, asker, 100, WebCame::Answer(status, body)),
            AnswerFate::Lost => stage.struck(Fault::AnswerLost),
            AnswerFate::Late(us) => {
                stage.struck(Fault::AnswerLate);
                tell(stage, asker, us, WebCame::Answer(status, body));
            }
            AnswerFate::Garbled => {
                stage.struck(Fault::AnswerGarbled);
                tell(stage, asker, 100, WebCame::Answer(status, GARBAGE.to_vec()));
            }
            AnswerFate::Cut(_) => {
                stage.struck(Fault::ConnectionCut);
                break_off(stage, Some(asker));
            }
        }
    }

    fn plan(&self, stage: &mut Stage, wait_us: u64, task: HostTask) {
        stage.after(wait_us, Event::Host(self.at, self.life, task));
    }
}

/// The connection is gone: whoever waits at its other end learns it.
fn break_off(stage: &mut Stage, asker: Option<Asker>) {
    if let Some(asker) = asker {
        let wait_us = stage.dice.between(20, 2_000);
        tell(stage, asker, wait_us, WebCame::Lost);
    }
}

/// Scripts go by message types, which requests by HTTP have none of.
fn unseen(processor: u16) -> Seen {
    Seen { processor, mti: 0, stan: 0, rrn: String::new() }
}

fn fresh(method: PaymentMethod, faults: &Faults) -> Box<dyn WebHost> {
    let mut host: Box<dyn WebHost> = match method {
        PaymentMethod::Ach => Box::new(sage::Host::new(LATE_MS)),
        PaymentMethod::Terminal => Box::new(spin::Host::new(LATE_MS)),
        PaymentMethod::Card => panic!("cards have connections that stay"),
    };
    host.set_faults(faults.clone());
    host
}
