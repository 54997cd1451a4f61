//! What the requests of a run hold: as over REST, a pure function of seed and sequence number.

use protocol::binary::request::push_command;
use protocol::binary::{CardBlock, FrameWriter};
use protocol::card::Expiry;
use protocol::command::Command;
use protocol::money::Currency;
use protocol::secret::{Cvv, Pan};
use protocol::tail::{self, tag};
use protocol::words::{Source, Verb};

use crate::schedule::SplitMix;
use crate::target::{APPROVED_CARDS, Target};

/// The sandbox declines it.
const DECLINED_CARD: &str = "4000000000000002";
/// A retry repeats a request that was sent so many before: answered by then, and inside its key's window.
const RETRY_DISTANCE: u64 = 2_000;
const EXPIRY_YYMM: u16 = 4012;

/// Shares of a run's requests, in hundredths. The rest are sales.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    /// Authorizations.
    pub authorize: u32,
    /// Card verifications.
    pub verification: u32,
    /// Sales that the sandbox declines.
    pub declined: u32,
    /// Requests of a while ago once more, under their keys.
    pub retry: u32,
}

impl Mix {
    /// False when the shares are more than the whole.
    pub fn fits(&self) -> bool {
        self.authorize + self.verification + self.declined + self.retry <= 100
    }
}

impl std::fmt::Display for Mix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Mix { authorize, verification, declined, retry } = *self;
        let sale = 100_u32.saturating_sub(authorize + verification + declined + retry);
        write!(f, "sale {sale}")?;
        for (name, share) in [("authorize", authorize), ("verification", verification), ("declined", declined), ("retry", retry)]
        {
            if share > 0 {
                write!(f, ", {name} {share}")?;
            }
        }
        Ok(())
    }
}

/// Draws requests.
pub(super) struct Draw {
    cards: Vec<CardBlock>,
    declined: CardBlock,
    mix: Mix,
    tail: Vec<u8>,
}

impl Draw {
    pub(super) fn new(mix: Mix) -> Draw {
        Draw {
            cards: APPROVED_CARDS.iter().map(|card| block(card)).collect(),
            declined: block(DECLINED_CARD),
            mix,
            tail: Vec::new(),
        }
    }

    /// Appends request number `sequence`.
    pub(super) fn push(&mut self, target: &Target, sequence: u64, request_id: u64, frame: &mut FrameWriter<'_>) {
        let mut random = SplitMix(target.seed() ^ sequence.wrapping_mul(0xA24B_AED4_963E_E407));
        let place = (random.next() % 100) as u32;
        let Mix { authorize, verification, declined, retry } = self.mix;
        if place < retry && sequence >= RETRY_DISTANCE {
            return self.push(target, sequence - RETRY_DISTANCE, request_id, frame);
        }
        // Where there is nothing to repeat yet, the other shares take its place.
        let place = if place < retry { (random.next() % u64::from((100 - retry).max(1))) as u32 } else { place - retry };
        let (verb, card) = match place {
            _ if place < authorize => (Verb::Authorize, None),
            _ if place < authorize + verification => (Verb::Verification, None),
            _ if place < authorize + verification + declined => (Verb::Sale, Some(&self.declined)),
            _ => (Verb::Sale, None),
        };
        let card = card.unwrap_or(&self.cards[(random.next() % self.cards.len() as u64) as usize]);
        let mut command = Command { source: Source::Binary.number(), ..Command::new(verb) };
        command.amount = if verb == Verb::Verification { 0 } else { target.amount(sequence) }.into();
        command.currency = Currency::USD.numeric().into();
        self.tail.clear();
        tail::push(&mut self.tail, tag::IDEMPOTENCY_KEY, target.key(sequence).as_bytes());
        push_command(frame, request_id, &command, Some(card), &self.tail);
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
    use std::collections::BTreeMap;
    use std::net::{Ipv4Addr, SocketAddr};

    #[test]
    fn a_mix_is_drawn_as_it_was_asked_for_and_a_retry_is_the_same_bytes() {
        let target = Target::sale(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), "key", "run", 7, (100, 999)).unwrap();
        let mix = Mix { authorize: 20, verification: 5, declined: 10, retry: 15 };
        let mut draw = Draw::new(mix);
        let mut request = |sequence: u64| {
            let mut out = Vec::new();
            let mut frame = FrameWriter::begin(FrameKind::Requests, &mut out);
            draw.push(&target, sequence, 1, &mut frame);
            frame.finish();
            let frame = next_frame(&out, FRAME_MAX_BYTES).unwrap().unwrap();
            Requests::check(frame.body, frame.count).unwrap().next().unwrap().body.to_vec()
        };
        let (mut by_verb, mut repeated, mut seen) = (BTreeMap::<u8, u32>::new(), 0, Vec::new());
        for sequence in 0..10_000 {
            let body = request(sequence);
            repeated += u32::from(sequence >= RETRY_DISTANCE && seen[(sequence - RETRY_DISTANCE) as usize] == body);
            *by_verb.entry(body[6]).or_default() += 1;
            seen.push(body);
        }
        // Eight thousand could be repeated; half a percent is twelve standard deviations' worth of room and more.
        assert!((1_000..=1_400).contains(&repeated), "{repeated} repeated");
        let authorizations = by_verb[&Verb::Authorize.number()];
        assert!((1_800..=2_500).contains(&authorizations), "{by_verb:?}");
        assert_eq!(mix.to_string(), "sale 50, authorize 20, verification 5, declined 10, retry 15");
        assert!(mix.fits() && !Mix { retry: 101, ..mix }.fits());
    }
}
