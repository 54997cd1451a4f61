//! The sandbox's card host against any switch: its ledger stays consistent, whatever comes.

use super::{frame, messages, read, spoiled};
use crate::script::Script;
use protocol::calendar::Micros;
use protocol::iso8583::{FRAME_HEADER_BYTES, Message, Mti};
use sandbox::ledger::{ROW_BYTES, Row};
use sandbox::shell::Host as _;
use sandbox::tsys::host::{ConnectionId, Host, Replies};

const NOW: Micros = Micros(1_795_224_642_000_000);
const LATE_MS: u32 = 7_000;
const STEPS_MAX: u32 = 100;
const CONNECTIONS: u8 = 2;
const CARD: &str = "4012000098765439";
/// Amounts by which the host loses a request or spoils an answer, on purpose.
const TROUBLE: core::ops::RangeInclusive<u64> = 900_201..=900_206;
/// Fields that every payment has and that are never varied: DE12, DE13, DE14, DE18, DE22, DE25, DE32.
const PLAIN: [(u8, &str); 7] =
    [(12, "013042"), (13, "1121"), (14, "2812"), (18, "5999"), (22, "012"), (25, "59"), (32, "000001")];

/// Any row of messages on any connections. Each is answered as itself or not at all; a message that comes again has its first
/// answer again and no second effect; every row of the ledger is whole, numbered and sealed; a host that reads the ledger anew
/// knows what the first one knew.
pub fn any_frames(input: &[u8]) {
    let mut script = Script::new(input);
    let mut play = Play { host: Host::new(LATE_MS), rows: Vec::new(), sent: Vec::new(), now: NOW };
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        play.step(&mut script);
    }
    play.restart();
}

struct Play {
    host: Host,
    rows: Vec<Row>,
    /// Messages that were answered without trouble, latest last.
    sent: Vec<Vec<u8>>,
    now: Micros,
}

impl Play {
    fn step(&mut self, script: &mut Script<'_>) {
        let connection = ConnectionId(script.below(CONNECTIONS).into());
        match script.below(8) {
            0 => {
                let message = script.piece();
                self.send(connection, message);
            }
            1 => self.host.closed(connection),
            2 => self.now = self.now.plus_s(script.word() % 500_000),
            3 => self.sign_on(connection),
            _ => {
                let Some(frame) = any_request(script) else { return };
                let changes = if script.below(4) == 0 { script.piece() } else { &[] };
                self.send(connection, &spoiled(frame, changes)[FRAME_HEADER_BYTES..]);
            }
        }
    }

    fn sign_on(&mut self, connection: ConnectionId) {
        let fields = [(7, "1121013042"), (11, "000001"), (12, "013042"), (13, "1121"), (70, "001")];
        let frame = frame(Mti::NETWORK_REQUEST, &fields.map(|(field, text)| (field, text.to_owned())));
        self.send(connection, &frame.expect("a sign-on has fitting fields")[FRAME_HEADER_BYTES..]);
    }

    /// Sends a message, and then once more.
    fn send(&mut self, connection: ConnectionId, message: &[u8]) {
        let first = self.accept(connection, message);
        let rows = self.rows.len();
        let second = self.accept(connection, message);
        assert_eq!(self.rows.len(), rows, "a message that came again had a second effect");
        if read(message).is_none_or(|message| message.number(4).is_some_and(|amount| TROUBLE.contains(&amount))) {
            return;
        }
        assert_eq!(first, second, "a message that came again has its first answer again");
        if !first.is_empty() {
            self.sent.push(message.to_vec());
        }
    }

    /// The host's bytes of answer to one message.
    fn accept(&mut self, connection: ConnectionId, message: &[u8]) -> Vec<u8> {
        let mut replies = Replies::default();
        self.host.accept(self.now, connection, message, &mut replies);
        self.check_rows();
        match read(message) {
            None => assert!(replies.cut && replies.bytes.is_empty(), "what is no message ends the connection"),
            Some(request) => check_answer(&request, &replies),
        }
        replies.bytes
    }

    fn check_rows(&mut self) {
        let unwritten = self.host.unwritten();
        assert!(unwritten.len().is_multiple_of(ROW_BYTES));
        for bytes in unwritten.chunks(ROW_BYTES) {
            let row = Row::open(bytes).expect("the host seals its rows");
            assert_eq!(row.ordinal, self.rows.len() as u64, "rows are numbered without gaps");
            self.rows.push(row);
        }
        self.host.rows_written();
        assert_eq!(self.host.row_count(), self.rows.len() as u64);
        // A reversal may stand for an original that has not come.
        assert!(self.host.held() <= 2 * self.rows.len());
    }

    /// A second host reads the ledger, and answers what came before as the first one would.
    fn restart(mut self) {
        let mut again = Play { host: Host::new(LATE_MS), rows: self.rows.clone(), sent: Vec::new(), now: self.now };
        self.rows.iter().for_each(|row| again.host.reload(row));
        assert_eq!((again.host.row_count(), again.host.held()), (self.host.row_count(), self.host.held()));
        let connection = ConnectionId(u64::from(CONNECTIONS));
        self.sign_on(connection);
        again.sign_on(connection);
        for message in core::mem::take(&mut self.sent) {
            assert_eq!(again.accept(connection, &message), self.accept(connection, &message));
        }
    }
}

/// One answer at most, of the request's type and trace number.
fn check_answer(request: &Message<'_>, replies: &Replies) {
    if request.number(4).is_some_and(|amount| TROUBLE.contains(&amount)) {
        return;
    }
    let answers = messages(&replies.bytes);
    assert!(answers.len() + replies.late.len() <= 1 && replies.late.is_empty());
    assert_eq!(answers.is_empty(), replies.cut || request.mti().response().is_none());
    for answer in answers {
        let answer = read(answer).expect("the host speaks its dialect");
        assert_eq!(Some(answer.mti()), request.mti().response());
        for field in [7, 11, 37, 41, 42] {
            assert_eq!(answer.text(field), request.text(field), "field {field} comes back as it went");
        }
        assert!(!answer.has(2) && !answer.has(35), "a card's number never comes back");
    }
}

/// A request of any kind about one of a few transactions, so that they meet.
fn any_request(script: &mut Script<'_>) -> Option<Vec<u8>> {
    let mti = script.one_of([
        Mti::AUTHORIZATION_REQUEST,
        Mti::FINANCIAL_REQUEST,
        Mti::FINANCIAL_ADVICE,
        Mti::FINANCIAL_ADVICE_REPEAT,
        Mti::REVERSAL_REQUEST,
        Mti::REVERSAL_ADVICE,
        Mti::REVERSAL_ADVICE_REPEAT,
        Mti::RECONCILIATION_REQUEST,
    ]);
    let mut fields = if mti == Mti::RECONCILIATION_REQUEST { totals(script) } else { payment(mti, script) };
    fields.sort_unstable_by_key(|(field, _)| *field);
    frame(mti, &fields).ok()
}

/// What names a message and its merchant.
fn names(script: &mut Script<'_>) -> Vec<(u8, String)> {
    let stan = script.below(4);
    let terminal = script.below(2);
    vec![
        (7, "1121013042".to_owned()),
        (11, format!("{stan:06}")),
        (37, format!("RRN{:09}", script.below(2))),
        (41, format!("TERM000{terminal}")),
        (42, "MERCHANT-42    ".to_owned()),
    ]
}

fn payment(mti: Mti, script: &mut Script<'_>) -> Vec<(u8, String)> {
    let mut fields = names(script);
    let amount = script.one_of(["000000001112", "000000000556", "000000000001", "000000900051", "000000900010", "000000000000"]);
    let credit = script.below(4) == 0;
    fields.extend(PLAIN.map(|(field, text)| (field, text.to_owned())));
    fields.push((2, CARD.to_owned()));
    fields.push((3, if credit { "200000" } else { "000000" }.to_owned()));
    fields.push((4, amount.to_owned()));
    fields.push((49, script.one_of(["840", "978"]).to_owned()));
    let refers = !matches!(mti, Mti::AUTHORIZATION_REQUEST | Mti::FINANCIAL_REQUEST);
    if refers {
        let of = script.one_of(["0100", "0200"]);
        fields.push((38, "TAS000".to_owned()));
        fields.push((90, format!("{of}{:06}11210130420000000000100000000000", script.below(4))));
    }
    if matches!(mti, Mti::REVERSAL_ADVICE | Mti::REVERSAL_ADVICE_REPEAT) {
        fields.push((39, "68".to_owned()));
    }
    if script.below(2) == 1 {
        fields.push((60, format!("{:06}", script.below(3))));
    }
    fields
}

fn totals(script: &mut Script<'_>) -> Vec<(u8, String)> {
    let mut fields = names(script);
    fields.retain(|(field, _)| *field != 37);
    let (debits, amount) = (script.below(3), u64::from(script.below(3)) * 1_112);
    fields.extend([(12, "013042"), (13, "1121"), (32, "000001"), (50, "840")].map(|(field, text)| (field, text.to_owned())));
    fields.push((60, format!("{:06}{:06}", script.below(3), script.below(3))));
    fields.push((74, format!("{:010}", 0)));
    fields.push((76, format!("{debits:010}")));
    fields.push((86, format!("{:016}", 0)));
    fields.push((88, format!("{amount:016}")));
    fields.push((97, format!("D{amount:016}")));
    fields
}
