//! One request with its answer. The gateway is asked once: what became of a request without an answer is unknown (I6), and the shard
//! takes the payment back.

use super::decode::{Expected, answer};
use super::encode::{Outgoing, Unwritable, Written, write};
use crate::connectors::exchange::{Came, HttpRequest, Next};

/// A request that is on its way.
#[derive(Debug)]
pub struct Exchange {
    expected: Expected,
}

impl Exchange {
    /// Begins with what is to be asked.
    pub fn begin(outgoing: &Outgoing<'_>) -> Result<(Exchange, HttpRequest), Unwritable> {
        let Written { http, request_id, transaction_id } = write(outgoing)?;
        Ok((Exchange { expected: Expected { sent: outgoing.request.sent, request_id, transaction_id } }, http))
    }

    /// Takes what came and ends with it.
    pub fn came(&mut self, came: Came<'_>) -> Next {
        match came {
            Came::Answer { status, body } => match answer(status, body, &self.expected) {
                Some((answer, facts)) => Next::Answered { answer, facts },
                None => Next::Lost,
            },
            Came::NotSent => Next::NotSent,
            Came::Lost => Next::Lost,
        }
    }
}
