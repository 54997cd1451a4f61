//! From a transaction to the bytes of its request.

use super::upload::{AFTER_UPLOAD, numbers_of};
use crate::input::Leg;
use crate::output::{Request, Subject};
use crate::rrn_of;
use protocol::batch::Batch;
use protocol::calendar::{Civil, Micros};
use protocol::command::flag;
use protocol::exchange::Exchange;
use protocol::iso8583::{EncodeError, Encoder, MacKey, Message, Mti, OriginalData, Sign, TSYS, append_frame};
use protocol::secret::{Cvv, Pan, wipe};
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{EntryType, ReversalReason, Source, Verb};

/// Acquiring institution identification code, DE32.
pub(super) const ACQUIRER: &str = "000001";
/// The same as DE90 carries it.
pub(super) const ACQUIRER_NUMBER: u64 = 1;
/// DE3 of money that the card holder pays.
const DEBIT: &str = "000000";
/// DE3 of money that is paid out.
const CREDIT: &str = "200000";

/// The card acceptor: where the card was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptor {
    /// Card acceptor terminal identification, DE41, eight characters.
    pub terminal: String,
    /// Card acceptor identification code, DE42, up to fifteen characters.
    pub id: String,
    /// Merchant category code, DE18, ISO 18245.
    pub category: u16,
}

/// What only the link may see, for as long as it writes.
#[derive(Clone, Copy)]
pub struct CardData<'a> {
    /// DE2.
    pub pan: &'a Pan,
    /// DE35, when the card was swiped.
    pub track_2: Option<&'a str>,
    /// DE45, when the card was swiped.
    pub track_1: Option<&'a str>,
    /// The verification value, when one came with the request.
    pub cvv: Option<&'a Cvv>,
}

impl core::fmt::Debug for CardData<'_> {
    /// The tracks hold the card number: no part of them is shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let [track_1, track_2] = [self.track_1, self.track_2].map(|track| track.map(|_| "***"));
        let mut shown = f.debug_struct("CardData");
        shown.field("pan", self.pan).field("track_1", &track_1).field("track_2", &track_2).field("cvv", &self.cvv).finish()
    }
}

/// A request with all that its message needs.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// What the shard asks to send.
    pub request: Request<'a>,
    /// The shard that waits for the answer.
    pub shard: u16,
    /// Who takes the card.
    pub acceptor: &'a Acceptor,
    /// The card; totals have none.
    pub card: Option<CardData<'a>>,
}

/// The message type of a request.
pub(super) fn mti_of(request: &Request<'_>) -> Mti {
    match (request.sent.leg, request.subject) {
        (Leg::Totals, _) | (_, Subject::Batch(_)) => Mti::RECONCILIATION_REQUEST,
        (Leg::Reversal, _) if request.repeat => Mti::REVERSAL_ADVICE_REPEAT,
        (Leg::Reversal, _) => Mti::REVERSAL_ADVICE,
        (Leg::Original, Subject::Transaction(transaction, _)) => original_mti(transaction.verb()),
        (Leg::Step, Subject::Transaction(transaction, _)) => match transaction.step.verb() {
            Some(Verb::Void) => Mti::REVERSAL_REQUEST,
            _ if request.repeat => Mti::FINANCIAL_ADVICE_REPEAT,
            _ => Mti::FINANCIAL_ADVICE,
        },
    }
}

pub(super) fn original_mti(verb: Verb) -> Mti {
    match verb {
        Verb::Authorize | Verb::Verification => Mti::AUTHORIZATION_REQUEST,
        Verb::Sale | Verb::Credit | Verb::Refund | Verb::Capture | Verb::Void => Mti::FINANCIAL_REQUEST,
    }
}

/// Why a request can't be written. Nothing of it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwritable {
    /// A card request came without its card.
    NoCard,
    /// A value does not fit its field.
    Field(EncodeError),
}

impl From<EncodeError> for Unwritable {
    fn from(error: EncodeError) -> Unwritable {
        Unwritable::Field(error)
    }
}

impl core::fmt::Display for Unwritable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Unwritable::NoCard => f.write_str("a card request without its card"),
            Unwritable::Field(error) => write!(f, "{error}"),
        }
    }
}

/// Whether totals come for the first time, or once more after their batch's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presented {
    First,
    AfterUpload,
}

/// Appends the framed message of a request, sealed when there is a key.
pub(super) fn write(
    outgoing: &Outgoing<'_>,
    presented: Presented,
    key: Option<&MacKey>,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    let mti = mti_of(&outgoing.request);
    match outgoing.request.subject {
        Subject::Batch(batch) => {
            append_frame(out, |buffer| write_totals(Encoder::begin(&TSYS, mti, buffer)?, outgoing, batch, presented, key))?
        }
        Subject::Transaction(transaction, tail) => {
            let card = outgoing.card.ok_or(Unwritable::NoCard)?;
            let parts = Parts { outgoing, transaction, tail, card };
            append_frame(out, |buffer| parts.write(mti, Encoder::begin(&TSYS, mti, buffer)?, key))?
        }
    };
    Ok(())
}

/// Appends a network management message: sign-on, sign-off, echo.
pub(super) fn write_network(
    stan: u32,
    code: &str,
    now: Micros,
    key: Option<&MacKey>,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    append_frame(out, |buffer| {
        let mut encoder = Encoder::begin(&TSYS, Mti::NETWORK_REQUEST, buffer)?;
        let moment = Moment::of(now);
        encoder.number(7, moment.month_to_second)?.number(11, u64::from(stan))?;
        encoder.number(12, moment.time)?.number(13, moment.date)?.text(70, code)?;
        encoder.finish_under(key)
    })?;
    Ok(())
}

/// Appends the answer to a network management message of the host's own.
pub(super) fn write_network_answer(
    asked: &Message<'_>,
    action_code: &str,
    key: Option<&MacKey>,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    append_frame(out, |buffer| {
        let mut encoder = Encoder::begin(&TSYS, Mti::NETWORK_RESPONSE, buffer)?;
        for repeated in [7, 11, 12, 13] {
            encoder.copy(asked, repeated)?;
        }
        encoder.text(39, action_code)?.copy(asked, 70)?;
        encoder.finish_under(key)
    })?;
    Ok(())
}

/// A moment as DE7, DE12 and DE13 write it, UTC.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) month_to_second: u64,
    pub(super) time: u64,
    pub(super) date: u64,
}

impl Moment {
    pub(super) fn of(moment: Micros) -> Moment {
        let Civil { month, day, hour, minute, second, .. } = moment.civil();
        let time = u64::from(hour) * 10_000 + u64::from(minute) * 100 + u64::from(second);
        let date = u64::from(month) * 100 + u64::from(day);
        Moment { month_to_second: date * 1_000_000 + time, time, date }
    }
}

/// All that a card message is written from.
struct Parts<'a> {
    outgoing: &'a Outgoing<'a>,
    transaction: &'a Transaction,
    tail: Tail<'a>,
    card: CardData<'a>,
}

impl Parts<'_> {
    fn write(&self, mti: Mti, mut encoder: Encoder<'_>, key: Option<&MacKey>) -> Result<usize, EncodeError> {
        let Parts { outgoing, transaction, card, .. } = self;
        let leg = outgoing.request.sent.leg;
        let moment = Moment::of(self.sent_at());
        let names_place = mti == Mti::AUTHORIZATION_REQUEST || is_booked(mti);
        let original = leg == Leg::Original;
        encoder.text(2, card.pan.expose())?.text(3, processing_code(transaction.verb()))?.number(4, self.amount())?;
        encoder.number(7, moment.month_to_second)?.number(11, u64::from(outgoing.request.sent.stan))?;
        encoder.number(12, moment.time)?.number(13, moment.date)?.number(14, u64::from(transaction.expiry.get()))?;
        if names_place {
            encoder.number(18, u64::from(outgoing.acceptor.category))?;
            encoder.text(22, entry_mode(transaction))?.text(25, point_of_service(transaction))?;
        }
        encoder.text(32, ACQUIRER)?;
        if let Some(track_2) = card.track_2.filter(|_| original) {
            encoder.text(35, track_2)?;
        }
        encoder.text(37, transaction.rrn())?;
        self.write_approval(&mut encoder)?;
        encoder.text(41, &outgoing.acceptor.terminal)?.text(42, &outgoing.acceptor.id)?;
        if let Some(track_1) = card.track_1.filter(|_| original) {
            encoder.text(45, track_1)?;
        }
        if original {
            self.write_additional(&mut encoder)?;
        }
        encoder.text(49, currency_text(transaction.currency.get(), &mut [0; 3]))?;
        if transaction.batch_number.get() != 0 && is_booked(mti) {
            encoder.text(60, digits(u64::from(transaction.batch_number.get()), &mut [0; 6]))?;
        }
        if !original {
            self.write_original_data(&mut encoder)?;
        }
        encoder.finish_under(key)
    }

    /// The moment of the intent: a repeat carries it again.
    fn sent_at(&self) -> Micros {
        match self.outgoing.request.sent.leg {
            Leg::Original | Leg::Totals => self.transaction.original.sent_at(),
            Leg::Step => self.transaction.step.sent_at(),
            Leg::Reversal => self.transaction.reversal.queued_at(),
        }
    }

    /// DE4: what a capture takes; what a void or a reversal takes back.
    fn amount(&self) -> u64 {
        let transaction = self.transaction;
        match (self.outgoing.request.sent.leg, transaction.step.verb()) {
            (Leg::Step, Some(Verb::Capture)) => transaction.step.amount.get(),
            (Leg::Step, _) => transaction.amount_authorized.get(),
            (Leg::Original | Leg::Reversal | Leg::Totals, _) => transaction.amount.get(),
        }
    }

    /// DE38 of a capture or void is the approval that it refers to; DE39 of a reversal advice is its reason.
    fn write_approval(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self.outgoing.request.sent.leg {
            Leg::Step if !self.transaction.original.auth_code().is_empty() => {
                encoder.text(38, auth_code(&self.transaction.original))?;
            }
            Leg::Reversal => {
                encoder.text(39, reversal_reason(self.transaction.reversal.reason()))?;
            }
            Leg::Original | Leg::Step | Leg::Totals => {}
        }
        Ok(())
    }

    /// DE90 names the request that made the transaction.
    fn write_original_data(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        let transaction = self.transaction;
        let original = OriginalData {
            mti: original_mti(transaction.verb()),
            stan: transaction.original.stan.get(),
            transmitted: Moment::of(transaction.original.sent_at()).month_to_second,
            acquirer: ACQUIRER_NUMBER,
            forwarder: 0,
        };
        // Every part is below its width, so a number that does not fit is our own error; the empty text is refused by the table.
        let composed = original.compose();
        encoder.text(90, composed.as_ref().map_or("", |text| text.as_str()))?;
        Ok(())
    }

    /// DE48: what verifies the card holder, in sub-elements of two letters, three digits and a value. It holds the CVV, so it is
    /// wiped once written.
    fn write_additional(&self, encoder: &mut Encoder<'_>) -> Result<(), EncodeError> {
        let mut text = String::with_capacity(256);
        let (street, postal_code) = (tag::BILLING + tail::ADDRESS_LINE_1, tag::BILLING + tail::POSTAL_CODE);
        let [eci, cavv, xid, street, postal_code] = self.tail.texts([tag::ECI, tag::CAVV, tag::XID, street, postal_code]);
        sub_element(&mut text, "AD", street, 20);
        sub_element(&mut text, "ZP", postal_code, 9);
        sub_element(&mut text, "CV", self.card.cvv.map_or("", |cvv| cvv.expose()), 4);
        sub_element(&mut text, "EC", eci, 2);
        sub_element(&mut text, "CA", cavv, 40);
        sub_element(&mut text, "XI", xid, 40);
        sub_element(&mut text, "PA", if self.transaction.has(flag::ALLOW_PARTIAL) { "1" } else { "" }, 1);
        if !self.transaction.parent.is_none() {
            let sale = rrn_of(self.transaction.parent);
            sub_element(&mut text, "OR", core::str::from_utf8(&sale).unwrap_or(""), 12);
        }
        let written = if text.is_empty() { Ok(()) } else { encoder.text(48, &text).map(|_| ()) };
        wipe(&mut text.into_bytes());
        written
    }
}

/// Appends a sub-element; an empty value has none. What is not printable ASCII is written as a space, what is too long is cut.
fn sub_element(out: &mut String, name: &str, value: &str, characters_max: usize) {
    if value.is_empty() {
        return;
    }
    let length = value.chars().count().min(characters_max);
    out.push_str(name);
    for place in [100, 10, 1] {
        out.push(char::from(b'0' + (length / place % 10) as u8));
    }
    out.extend(
        value.chars().take(length).map(|letter| if letter.is_ascii() && !letter.is_ascii_control() { letter } else { ' ' }),
    );
}

fn write_totals(
    mut encoder: Encoder<'_>,
    outgoing: &Outgoing<'_>,
    batch: &Batch,
    presented: Presented,
    key: Option<&MacKey>,
) -> Result<usize, EncodeError> {
    let moment = Moment::of(batch.closed_at());
    let currency = &mut [0; 3];
    let currency = currency_text(batch.currency.get(), currency);
    if presented == Presented::AfterUpload {
        encoder.text(3, AFTER_UPLOAD)?;
    }
    encoder.number(7, moment.month_to_second)?.number(11, u64::from(outgoing.request.sent.stan))?;
    encoder.number(12, moment.time)?.number(13, moment.date)?.text(32, ACQUIRER)?;
    encoder.text(41, &outgoing.acceptor.terminal)?.text(42, &outgoing.acceptor.id)?.text(50, currency)?;
    encoder.text(60, digits(numbers_of(batch), &mut [0; 12]))?;
    encoder.number(74, u64::from(batch.credit_count.get()))?.number(76, u64::from(batch.capture_count.get()))?;
    encoder.number(86, batch.credited.get())?.number(88, batch.captured.get())?;
    // DE97 from the acquirer's side: a debit is money that the card holders pay, and so comes in.
    let (captured, credited) = (batch.captured.get(), batch.credited.get());
    let sign = if credited > captured { Sign::Credit } else { Sign::Debit };
    encoder.signed(97, sign, captured.abs_diff(credited))?;
    encoder.finish_under(key)
}

/// What counts in a batch names it.
fn is_booked(mti: Mti) -> bool {
    matches!(mti, Mti::FINANCIAL_REQUEST | Mti::FINANCIAL_ADVICE | Mti::FINANCIAL_ADVICE_REPEAT)
}

pub(super) fn processing_code(verb: Verb) -> &'static str {
    if verb.pays_out() { CREDIT } else { DEBIT }
}

/// DE22: 01 keyed or 02 magnetic stripe, then 2: no PIN entry here.
fn entry_mode(transaction: &Transaction) -> &'static str {
    match transaction.entry_type() {
        EntryType::Keyed => "012",
        EntryType::Swiped => "022",
    }
}

/// DE25: 51 verification, 59 electronic commerce, 00 card present.
fn point_of_service(transaction: &Transaction) -> &'static str {
    match (transaction.verb(), transaction.entry_type(), transaction.source()) {
        (Verb::Verification, _, _) => "51",
        (_, EntryType::Swiped, _) => "00",
        (_, EntryType::Keyed, Source::Api | Source::Binary | Source::HostedPage | Source::Recurring) => "59",
    }
}

fn reversal_reason(reason: ReversalReason) -> &'static str {
    match reason {
        ReversalReason::PartialNotAllowed | ReversalReason::DeniedByRule => "17",
        ReversalReason::Timeout | ReversalReason::Lost | ReversalReason::None => "68",
    }
}

/// DE38 is exactly six characters; ours is kept as it came, spaces included.
fn auth_code(original: &Exchange) -> &str {
    core::str::from_utf8(&original.auth_code).unwrap_or("")
}

pub(super) fn currency_text(numeric: u16, buffer: &mut [u8; 3]) -> &str {
    digits(u64::from(numeric), buffer)
}

/// A number in as many digits as the buffer has.
pub(super) fn digits(mut number: u64, buffer: &mut [u8]) -> &str {
    for digit in buffer.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    core::str::from_utf8(buffer).unwrap_or("")
}
