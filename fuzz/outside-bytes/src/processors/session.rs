//! Our session with a card host that may answer anything: right, wrong, twice, late, in pieces, or with garbage.

use super::{frame, messages, read, spoiled};
use crate::script::Script;
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::exchange::{Exchange, Reversal};
use protocol::id::Xid;
use protocol::iso8583::{Message, Mti};
use protocol::secret::Pan;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::{EntryType, ReversalReason, ReversalState, Source, Verb};
use std::collections::HashMap;
use switch_core::connectors::tsys::{Acceptor, CardData, Event, Outgoing, Session, SessionOptions};
use switch_core::input::{Leg, Sent};
use switch_core::output::{Request, Subject};

/// 2026-11-21T01:30:42Z.
const NOW: Micros = Micros(1_795_224_642_000_000);
/// Few, so that they come again while the first is under way.
const STANS: u8 = 4;
const STEPS_MAX: u32 = 200;
/// Fields that a host repeats of a request, as they stand in an answer around DE38 and DE39.
const REPEATED_BEFORE: [u8; 6] = [4, 7, 11, 12, 13, 37];
const REPEATED_BEHIND: [u8; 3] = [41, 42, 49];

/// Any row of requests, answers, silence and broken connections. No request is decided twice, none by an answer that did not
/// come, none is both answered and lost; what is remembered is bounded; what is written is messages.
pub fn any_answers(input: &[u8]) {
    let mut script = Script::new(input);
    let pending_max = 1 + u32::from(script.below(16));
    let mut play = Play::new(SessionOptions { pending_max, late_answer_ms: 60_000, ..SessionOptions::default() });
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        play.step(&mut script);
        play.look();
    }
    play.hang_up();
    assert_eq!(play.session.pending_count(), 0, "a broken connection leaves nothing waiting");
}

/// What the owner of the socket has seen.
struct Play {
    session: Session,
    options: SessionOptions,
    now: Micros,
    connection: Option<Connection>,
    drawn: u32,
    /// Requests that were taken and have neither been answered nor lost, with the type of their answer.
    open: HashMap<Sent, Mti>,
}

/// One connection's life.
#[derive(Default)]
struct Connection {
    /// Messages that the session wrote.
    written: Vec<Vec<u8>>,
    heard: Vec<u8>,
    last_answer: Vec<u8>,
    answers: HashMap<(Mti, u32), usize>,
    is_over: bool,
}

impl Play {
    fn new(options: SessionOptions) -> Play {
        Play { session: Session::new(options), options, now: NOW, connection: None, drawn: 0, open: HashMap::new() }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.below(10) {
            0 => self.connect(),
            1 => self.hear(script.piece(), script),
            2..=4 => self.answer(script),
            5 | 6 => self.submit(script),
            7 => {
                self.now = self.now.plus_ms(script.word() % 70_000);
                self.session.tick(self.now);
            }
            8 => self.repeat_the_last_answer(script),
            _ if script.below(4) == 0 => self.session.sign_off(self.now),
            _ => self.hang_up(),
        }
    }

    fn connect(&mut self) {
        if self.connection.is_none() {
            self.connection = Some(Connection::default());
            self.session.connected(self.now);
        }
    }

    fn hang_up(&mut self) {
        self.connection = None;
        self.session.disconnected();
        for event in core::iter::from_fn(|| self.session.poll()) {
            if let Event::Lost { sent, .. } = event {
                assert!(self.open.remove(&sent).is_some(), "{sent:?} is lost and was not open");
            }
        }
        // What was open and is not lost had been forgotten before: too old, or its trace number came again.
        self.open.clear();
    }

    /// Bytes come in one piece or in two.
    fn hear(&mut self, bytes: &[u8], script: &mut Script<'_>) {
        let Some(connection) = &mut self.connection else { return };
        connection.heard.extend_from_slice(bytes);
        let (first, second) = bytes.split_at(script.cut(bytes.len()));
        self.session.received(first, self.now);
        self.session.received(second, self.now);
    }

    /// An answer to something that was written, as it should be or not quite.
    fn answer(&mut self, script: &mut Script<'_>) {
        let Some(connection) = &mut self.connection else { return };
        let Some(index) = usize::from(script.byte()).checked_rem(connection.written.len()) else { return };
        let request = connection.written[connection.written.len() - 1 - index].clone();
        let Some(answer) = read(&request).and_then(|request| answer_to(&request, script)) else { return };
        let changes = if script.below(4) == 0 { script.piece() } else { &[] };
        let answer = spoiled(answer, changes);
        connection.last_answer = answer.clone();
        self.hear(&answer, script);
    }

    fn repeat_the_last_answer(&mut self, script: &mut Script<'_>) {
        let last = self.connection.as_ref().map(|connection| connection.last_answer.clone());
        self.hear(&last.unwrap_or_default(), script);
    }

    fn submit(&mut self, script: &mut Script<'_>) {
        self.drawn += 1;
        let stan = 1 + u32::from(script.below(STANS));
        let mut id = Xid([1; 12]);
        id.0[8..].copy_from_slice(&self.drawn.to_be_bytes());
        let (verb, leg) = script.one_of(KINDS);
        let sent = Sent { id, leg, stan };
        let (transaction, batch) = (transaction(id, verb, leg, stan, script.below(2)), batch(stan));
        let subject = match leg {
            Leg::Totals => Subject::Batch(&batch),
            Leg::Original | Leg::Step | Leg::Reversal => Subject::Transaction(&transaction, Tail::trusted(&[])),
        };
        let (pan, acceptor) = (Pan::new("4012000098765439").expect("a good number"), acceptor(script.below(2)));
        let card = Some(CardData { pan: &pan, track_2: None, track_1: None, cvv: None });
        let request = Request { processor: 1, sent, repeat: script.below(2) == 1, subject };
        let before = self.session.pending_count();
        let taken = self.session.submit(&Outgoing { request, shard: 3, acceptor: &acceptor, card }, self.now);
        if taken.is_ok() {
            self.open.insert(sent, answer_type(verb, leg));
        } else {
            assert_eq!(self.session.pending_count(), before, "what is not taken is not remembered");
        }
    }

    /// Everything that the session says and writes after a step.
    fn look(&mut self) {
        let mut output = Vec::new();
        self.session.take_output(&mut output);
        while let Some(event) = self.session.poll() {
            self.check(event);
        }
        assert!(self.session.pending_count() <= self.options.pending_max as usize);
        assert!(self.session.pending_count() <= self.open.len());
        let Some(connection) = &mut self.connection else { return };
        let written = messages(&output);
        assert_eq!(written.iter().map(|message| message.len() + 2).sum::<usize>(), output.len());
        assert!(written.iter().all(|message| read(message).is_some()));
        connection.written.extend(written.into_iter().map(<[u8]>::to_vec));
    }

    fn check(&mut self, event: Event) {
        let connection = self.connection.as_mut().expect("nothing happens without a connection");
        assert!(!connection.is_over, "{event:?} after the connection was given up");
        match event {
            Event::SignedOn => assert!(self.session.is_up()),
            Event::Lost { sent, .. } => panic!("{sent:?} is lost while the connection stands"),
            Event::Disconnect(_) => connection.is_over = true,
            Event::Detail(answer) => {
                let detail = |message: &Message<'_>| message.mti() == Mti::BATCH_UPLOAD_ADVICE_RESPONSE;
                let heard = messages(&connection.heard).into_iter().filter_map(read).any(|message| detail(&message));
                assert!(heard, "{answer:?} was never heard");
            }
            Event::Answer { answer, .. } => {
                let sent = answer.sent;
                let mti = self.open.remove(&sent).unwrap_or_else(|| panic!("{sent:?} is answered and was not open"));
                let count = connection.answers.entry((mti, sent.stan)).or_default();
                *count += 1;
                let heard = messages(&connection.heard).into_iter().filter_map(read);
                let named = heard.filter(|answer| answer.mti() == mti && answer.number(11) == Some(sent.stan.into()));
                assert!(*count <= named.count(), "one answer decided two requests");
            }
        }
    }
}

/// What may be sent, and as which of a transaction's requests.
const KINDS: [(Verb, Leg); 9] = [
    (Verb::Sale, Leg::Original),
    (Verb::Authorize, Leg::Original),
    (Verb::Verification, Leg::Original),
    (Verb::Credit, Leg::Original),
    (Verb::Refund, Leg::Original),
    (Verb::Capture, Leg::Step),
    (Verb::Void, Leg::Step),
    (Verb::Sale, Leg::Reversal),
    (Verb::Sale, Leg::Totals),
];

fn answer_type(verb: Verb, leg: Leg) -> Mti {
    match (leg, verb) {
        (Leg::Totals, _) => Mti::RECONCILIATION_RESPONSE,
        (Leg::Reversal, _) => Mti::REVERSAL_ADVICE_RESPONSE,
        (Leg::Step, Verb::Void) => Mti::REVERSAL_RESPONSE,
        (Leg::Step, _) => Mti::FINANCIAL_ADVICE_RESPONSE,
        (Leg::Original, Verb::Authorize | Verb::Verification) => Mti::AUTHORIZATION_RESPONSE,
        (Leg::Original, _) => Mti::FINANCIAL_RESPONSE,
    }
}

fn transaction(id: Xid, verb: Verb, leg: Leg, stan: u32, rrn: u8) -> Transaction {
    let mut transaction = Transaction::empty();
    let made_by = if leg == Leg::Step { Verb::Authorize } else { verb };
    transaction.verb = made_by.number();
    (transaction.source, transaction.entry_type) = (Source::Api.number(), EntryType::Keyed.number());
    (transaction.id, transaction.rrn) = (id, [b'0' + rrn; 12]);
    transaction.amount = 1_112.into();
    transaction.amount_authorized = 1_112.into();
    transaction.currency = 840.into();
    transaction.expiry = 2812.into();
    transaction.original = Exchange::in_flight(made_by, stan, 1_112, NOW, NOW.plus_s(30));
    transaction.original.auth_code = *b"TAS731";
    transaction.batch_number = 1.into();
    match leg {
        Leg::Step => transaction.step = Exchange::in_flight(verb, stan, 1_112, NOW, NOW.plus_s(30)),
        Leg::Reversal => transaction.reversal = reversal(stan),
        Leg::Original | Leg::Totals => {}
    }
    transaction
}

fn reversal(stan: u32) -> Reversal {
    Reversal {
        stan: stan.into(),
        state: ReversalState::Queued.number(),
        reason: ReversalReason::Timeout.number(),
        queued_at: NOW.0.into(),
        original_stan: stan.into(),
        ..Reversal::none()
    }
}

fn batch(stan: u32) -> Batch {
    let mut batch = Batch::empty();
    (batch.number, batch.members_number) = (1.into(), 1.into());
    (batch.currency, batch.stan) = (840.into(), stan.into());
    batch.closed_at = NOW.0.into();
    batch
}

fn acceptor(number: u8) -> Acceptor {
    Acceptor { terminal: format!("TERM000{number}"), id: "MERCHANT-42".to_owned(), category: 5999 }
}

/// What a host would say: it repeats what names the request, and decides.
fn answer_to(request: &Message<'_>, script: &mut Script<'_>) -> Option<Vec<u8>> {
    let repeated = |field: &u8| request.text(*field).map(|text| (*field, text.to_owned()));
    let action = script.one_of(["00", "00", "05", "10", "25", "91", "96", "ZZ"]);
    let mut fields: Vec<(u8, String)> = REPEATED_BEFORE.iter().filter_map(repeated).collect();
    fields.push((38, "TAS001".to_owned()));
    fields.push((39, action.to_owned()));
    fields.extend(REPEATED_BEHIND.iter().filter_map(repeated));
    frame(request.mti().response()?, &fields).ok()
}
