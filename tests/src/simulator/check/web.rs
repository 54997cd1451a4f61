//! What reaches a host that is asked by HTTP: nothing that is not durable (I1), a payment once (I4), what was called not sent never (I6).

use super::broken;
use super::journal::{Journal, Name};
use super::wire::Wire;
use reference_model::Invariant;
use sandbox::ledger::{Kind, Row};
use sandbox::sage::wire::{Call, Identifier, RETURNS_PATH};
use sandbox::spin::wire::Ask;
use sandbox::web::Asked;
use sandbox::{sage, spin};
use switch_core::input::Leg;

/// What a request is for, as far as a record must account for it.
enum Purpose {
    /// A payment, or a capture or void of one. At a terminal the same step may be asked for again.
    Request { rrn: Reference, leg: Leg, stan: Option<u32> },
    /// What takes a payment back.
    Reversal { rrn: Reference, stan: Option<u32> },
    /// A question, which changes nothing.
    Question { rrn: Reference },
    /// A batch's totals.
    Totals { stan: u32, number: u32 },
    /// The feed of returned entries.
    Feed,
}

impl Wire {
    pub(super) fn web_host_takes(&mut self, processor: u16, asked: &Asked<'_>, journal: &Journal) {
        match purpose(asked) {
            Purpose::Request { rrn, leg, stan } => self.web_request_taken(processor, (rrn, leg, stan), journal),
            Purpose::Reversal { rrn, stan } => {
                let is_durable = journal.reversal(rrn).is_some_and(|name| stan.is_none_or(|stan| name.stan == stan));
                if !is_durable {
                    nothing_durable(processor, "a reversal", rrn);
                }
            }
            Purpose::Question { rrn } => {
                if !journal.knows(rrn) {
                    nothing_durable(processor, "a question", rrn);
                }
            }
            Purpose::Totals { stan, number } => {
                if !journal.has_totals(processor, stan, number) {
                    let what = format_args!("host {processor} takes totals of batch {number} that are not durable");
                    broken(Invariant::IntentFirst, what);
                }
            }
            Purpose::Feed => {}
        }
    }

    fn web_request_taken(&mut self, processor: u16, (rrn, leg, stan): (Reference, Leg, Option<u32>), journal: &Journal) {
        let Some(name) = journal.request(processor, rrn, leg, stan) else {
            return nothing_durable(processor, "a request", rrn);
        };
        let is_first = self.reach(name);
        if !is_first && (leg == Leg::Original || stan.is_some()) {
            broken(Invariant::OneEffectPerKey, format_args!("{name} was asked for twice"));
        }
        if journal.was_not_sent(name) {
            broken(Invariant::UnknownIsAState, format_args!("{name} was called not sent and reaches the host"));
        }
    }
}

/// A retrieval reference number.
type Reference = [u8; 12];

fn nothing_durable(processor: u16, what: &str, rrn: Reference) {
    let rrn = String::from_utf8_lossy(&rrn).into_owned();
    broken(Invariant::IntentFirst, format_args!("host {processor} takes {what} about rrn {rrn}, of which nothing is durable"));
}

fn purpose(asked: &Asked<'_>) -> Purpose {
    match asked.path {
        spin::PATH => at_terminal(asked),
        sage::wire::PATH => of_account(asked),
        RETURNS_PATH => Purpose::Feed,
        other => panic!("the switch asks for what there is, but: {other}"),
    }
}

fn at_terminal(asked: &Asked<'_>) -> Purpose {
    let request = spin::wire::read(asked).unwrap_or_else(|why| panic!("the switch writes sound requests, but: {why:?}"));
    let rrn = request.reference.1;
    match request.ask {
        Ask::Payment(_) => Purpose::Request { rrn, leg: Leg::Original, stan: None },
        Ask::Capture | Ask::Void(false) => Purpose::Request { rrn, leg: Leg::Step, stan: None },
        Ask::Void(true) | Ask::Cancel => Purpose::Reversal { rrn, stan: None },
        Ask::Status => Purpose::Question { rrn },
        Ask::Settle(_) => {
            // The reference of totals is their number and their trace number, six digits each.
            let digits = |part: &[u8]| part.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
            Purpose::Totals { stan: digits(&rrn[6..]), number: request.batch }
        }
    }
}

fn of_account(asked: &Asked<'_>) -> Purpose {
    let request = sage::wire::read(asked.body).unwrap_or_else(|why| panic!("the switch writes sound requests, but: {why:?}"));
    match request.call.unwrap_or_else(|why| panic!("the switch writes sound packets, but: {why:?}")) {
        Call::Check(check) => {
            let (rrn, stan) = (check.id.transaction, Some(check.id.trace));
            match check.identifier {
                Identifier::Payment => Purpose::Request { rrn, leg: Leg::Original, stan },
                Identifier::Void => Purpose::Request { rrn, leg: Leg::Step, stan },
                Identifier::Reversal => Purpose::Reversal { rrn, stan },
            }
        }
        Call::Archived(id) => Purpose::Question { rrn: id.transaction },
        Call::Settle(settlement) => Purpose::Totals { stan: settlement.trace, number: settlement.number },
    }
}

/// The names of a host's rows: those of the requests that made them.
pub(super) fn name_of_row(journal: &Journal, processor: u16, row: &Row, carries_stan: bool) -> Option<Name> {
    let leg = match row.kind()? {
        Kind::Authorization | Kind::Sale | Kind::Refund | Kind::Credit => Leg::Original,
        Kind::Capture | Kind::Void => Leg::Step,
        Kind::Reversal | Kind::Batch | Kind::Return | Kind::Change => return None,
    };
    journal.request(processor, row.rrn, leg, carries_stan.then_some(row.stan))
}
