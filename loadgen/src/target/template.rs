//! One request's bytes, with the places that differ from request to request.

use std::ops::Range;

use protocol::id::{XID_TEXT_LEN, Xid};

use super::{AMOUNT_HOLE, SEQUENCE_DIGITS, SEQUENCE_HOLE};

/// Stands where the merchant's API key goes.
pub(super) const API_KEY_HOLE: &str = "<api_key>";
/// Stands where the transaction goes that a step acts upon.
pub(super) const TARGET_HOLE: &str = "<target>";

/// How wide holes are that every request of a run has alike.
#[derive(Clone, Copy)]
pub(super) struct Widths {
    pub(super) amount: usize,
    pub(super) api_key: usize,
}

/// What goes into one request.
pub(super) struct Filling<'a> {
    pub(super) amount: u64,
    pub(super) sequence: u64,
    pub(super) api_key: &'a str,
    pub(super) target: Xid,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Amount,
    Sequence,
    ApiKey,
    Target,
}

const HOLES: [(What, &str); 4] =
    [(What::Amount, AMOUNT_HOLE), (What::Sequence, SEQUENCE_HOLE), (What::ApiKey, API_KEY_HOLE), (What::Target, TARGET_HOLE)];

/// The bytes and their holes.
#[derive(Clone, Default)]
pub(super) struct Template {
    bytes: Vec<u8>,
    holes: Vec<(What, Range<usize>)>,
}

impl Template {
    /// Holes are widened first, so that the content length is right for every request drawn from
    /// this template.
    pub(super) fn draw(head: &str, body: &str, widths: Widths) -> Self {
        let mut drawn = Template::default();
        let mut length = Template::default();
        length.push(body, widths);
        drawn.push(head, widths);
        drawn.push(&format!("content-length: {}\r\n\r\n", length.bytes.len()), widths);
        drawn.push(body, widths);
        drawn
    }

    fn push(&mut self, text: &str, widths: Widths) {
        let mut rest = text;
        while let Some((at, what, hole)) = next_hole(rest) {
            self.bytes.extend_from_slice(&rest.as_bytes()[..at]);
            let start = self.bytes.len();
            let width = match what {
                What::Amount => widths.amount,
                What::Sequence => SEQUENCE_DIGITS,
                What::ApiKey => widths.api_key,
                What::Target => XID_TEXT_LEN,
            };
            self.bytes.resize(start + width, b'0');
            self.holes.push((what, start..start + width));
            rest = &rest[at + hole.len()..];
        }
        self.bytes.extend_from_slice(rest.as_bytes());
    }

    /// Writes a request over what `into` held.
    pub(super) fn fill(&self, filling: &Filling<'_>, into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(&self.bytes);
        for (what, hole) in &self.holes {
            let hole = &mut into[hole.clone()];
            match what {
                What::Amount => patch(hole, filling.amount),
                What::Sequence => patch(hole, filling.sequence),
                What::ApiKey => hole.copy_from_slice(filling.api_key.as_bytes()),
                What::Target => hole.copy_from_slice(&filling.target.to_text()),
            }
        }
    }
}

fn next_hole(text: &str) -> Option<(usize, What, &'static str)> {
    HOLES.iter().filter_map(|(what, hole)| text.find(hole).map(|at| (at, *what, *hole))).min()
}

fn patch(hole: &mut [u8], mut value: u64) {
    for digit in hole.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}
