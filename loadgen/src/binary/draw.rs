//! A drawn request in the binary protocol's bytes.

use protocol::binary::request::push_command;
use protocol::binary::{CardBlock, FrameWriter};
use protocol::card::Expiry;
use protocol::command::{Command, flag};
use protocol::money::Currency;
use protocol::secret::{Cvv, Pan};
use protocol::tail::{self, tag};
use protocol::words::{EntryType, PaymentMethod, Source, Verb};

use crate::target::{APPROVED_CARDS, DECLINED_CARD, Target};
use crate::work::{Drawn, Kind};

const EXPIRY_YYMM: u16 = 4012;

/// Writes requests.
pub(super) struct Pen {
    cards: Vec<CardBlock>,
    declined: CardBlock,
    tail: Vec<u8>,
}

impl Pen {
    pub(super) fn new() -> Pen {
        Pen { cards: APPROVED_CARDS.iter().map(|card| block(card)).collect(), declined: block(DECLINED_CARD), tail: Vec::new() }
    }

    /// Appends a request.
    pub(super) fn write(&mut self, target: &Target, drawn: &Drawn, request_id: u64, frame: &mut FrameWriter<'_>) {
        let verb = match drawn.kind {
            // Account numbers are not taken over this protocol; a plan that asks for them is refused before it begins.
            Kind::Sale | Kind::Declined | Kind::Ach => Verb::Sale,
            Kind::Authorize => Verb::Authorize,
            Kind::Verification => Verb::Verification,
            Kind::Capture => Verb::Capture,
            Kind::Void => Verb::Void,
            Kind::Refund => Verb::Refund,
        };
        let (card, _) = target.drawn(drawn.sequence);
        let card = match drawn.kind {
            Kind::Sale | Kind::Authorize | Kind::Verification | Kind::Ach => {
                Some(&self.cards[(card % self.cards.len() as u64) as usize])
            }
            Kind::Declined => Some(&self.declined),
            Kind::Capture | Kind::Void | Kind::Refund => None,
        };
        let mut command = Command { source: Source::Binary.number(), target: drawn.target, ..Command::new(verb) };
        command.amount = target.amount_of(drawn).into();
        match card {
            Some(_) => command.currency = Currency::USD.numeric().into(),
            None if drawn.kind == Kind::Refund => command.flags = flag::AMOUNT_GIVEN.into(),
            None => {}
        }
        (command.payment_method, command.entry_type) = (PaymentMethod::Card.number(), EntryType::Keyed.number());
        self.tail.clear();
        tail::push(&mut self.tail, tag::IDEMPOTENCY_KEY, target.key(drawn.sequence).as_bytes());
        push_command(frame, request_id, &command, card, &self.tail);
    }
}

fn block(card: &str) -> CardBlock {
    let (pan, expiry) = (Pan::new(card), Expiry::from_yymm(EXPIRY_YYMM));
    let (pan, expiry) = pan.zip(expiry).expect("the test cards are card numbers, and the month is one");
    CardBlock::keyed(&pan, expiry, Cvv::new("999").as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::binary::limits::FRAME_MAX_BYTES;
    use protocol::binary::{FrameKind, Requests, next_frame};
    use protocol::id::Xid;
    use std::net::{Ipv4Addr, SocketAddr};

    #[test]
    fn a_payment_has_a_card_and_a_step_has_what_it_acts_upon() {
        let target = Target::sale(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), "key", "run", 7, (100, 999)).unwrap();
        let mut pen = Pen::new();
        let mut written = |kind| {
            let acted_upon = if matches!(kind, Kind::Capture | Kind::Void | Kind::Refund) { Xid([5; 12]) } else { Xid::NONE };
            let drawn = Drawn { kind, merchant: 0, sequence: 3, target: acted_upon, is_retry: false };
            let mut out = Vec::new();
            let mut frame = FrameWriter::begin(FrameKind::Requests, &mut out);
            pen.write(&target, &drawn, 1, &mut frame);
            frame.finish();
            let frame = next_frame(&out, FRAME_MAX_BYTES).unwrap().unwrap();
            let request = Requests::check(frame.body, frame.count).unwrap().next().unwrap();
            let (command, tail) = Command::parse(request.body).unwrap();
            assert_eq!(tail.get(tag::IDEMPOTENCY_KEY), Some(target.key(3).as_bytes()));
            (command.verb().unwrap(), request.card.is_some(), command.amount.get(), command.target == Xid([5; 12]))
        };
        let amount = target.amount(3);
        assert_eq!(written(Kind::Sale), (Verb::Sale, true, amount, false));
        assert_eq!(written(Kind::Authorize), (Verb::Authorize, true, amount, false));
        assert_eq!(written(Kind::Verification), (Verb::Verification, true, 0, false));
        assert_eq!(written(Kind::Capture), (Verb::Capture, false, 0, true));
        assert_eq!(written(Kind::Void), (Verb::Void, false, 0, true));
        assert_eq!(written(Kind::Refund), (Verb::Refund, false, 1, true));
    }
}
