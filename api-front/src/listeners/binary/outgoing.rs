//! What a connection is still to be sent: answers gathered into one frame a turn, and how far the client has let us send.

use super::limits::{BUFFER_KEPT_BYTES, RETRY_AFTER};
use protocol::binary::ending::push_busy;
use protocol::binary::frame::push_frame;
use protocol::binary::limits::{FOUND_MAX, FRAME_ITEMS_MAX, FRAME_MAX_BYTES};
use protocol::binary::{FrameKind, FrameWriter, GoAway, OpenFrame, Welcome};
use protocol::outcome::Outcome;
use std::collections::VecDeque;
use std::io::{self, Write};

/// Room that is left in a frame for its largest answer.
const ANSWER_MAX_BYTES: usize = FOUND_MAX * size_of::<Outcome>() + 1_024;

/// The bytes on their way out.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// Of them, those that the kernel has taken.
    sent: usize,
    /// The Answers frame at the end, while it takes answers.
    answers: Option<OpenFrame>,
    /// Requests that were not taken.
    busy: Vec<u64>,
    /// Answers in the frames that wait: the byte behind each frame, and how many.
    counts: VecDeque<(usize, u32)>,
}

impl Outgoing {
    /// Appends an answer: `write` adds exactly one.
    pub(super) fn answer(&mut self, write: impl FnOnce(&mut FrameWriter<'_>)) {
        let mut frame = match self.answers.take() {
            Some(open) => open.resume(&mut self.bytes),
            None => FrameWriter::begin(FrameKind::Answers, &mut self.bytes),
        };
        write(&mut frame);
        let is_full = frame.count() >= FRAME_ITEMS_MAX || frame.size() + ANSWER_MAX_BYTES > FRAME_MAX_BYTES;
        self.answers = Some(frame.pause());
        if is_full {
            self.close_answers();
        }
    }

    /// Remembers a request that was not taken.
    pub(super) fn busy(&mut self, request_id: u64) {
        self.busy.push(request_id);
    }

    pub(super) fn pong(&mut self, body: &[u8]) {
        self.close_answers();
        push_frame(FrameKind::Pong, body, &mut self.bytes);
    }

    pub(super) fn welcome(&mut self, welcome: &Welcome) {
        welcome.write(&mut self.bytes);
    }

    pub(super) fn go_away(&mut self, away: &GoAway<'_>) {
        self.close_answers();
        self.close_busy();
        away.write(&mut self.bytes);
    }

    fn close_answers(&mut self) {
        if let Some(open) = self.answers.take() {
            let frame = open.resume(&mut self.bytes);
            let count = u32::from(frame.count());
            frame.finish();
            self.counts.push_back((self.bytes.len(), count));
        }
    }

    fn close_busy(&mut self) {
        let count = self.busy.len() as u32;
        if count > 0 {
            let retry_after_ms = u32::try_from(RETRY_AFTER.as_millis()).unwrap_or(u32::MAX);
            push_busy(&self.busy, retry_after_ms, &mut self.bytes);
            self.busy.clear();
            self.counts.push_back((self.bytes.len(), count));
        }
    }

    /// Bytes that wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Writes what the kernel takes. How many answers have left with it, and whether it takes more.
    pub(super) fn write_to(&mut self, stream: &mut impl Write) -> io::Result<Written> {
        self.close_answers();
        self.close_busy();
        let mut takes_more = true;
        while takes_more && self.sent < self.bytes.len() {
            match stream.write(&self.bytes[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => takes_more = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let answers = self.take_sent_counts();
        self.give_back();
        Ok(Written { answers, takes_more })
    }

    fn take_sent_counts(&mut self) -> u32 {
        let mut answers = 0;
        while let Some((_, count)) = self.counts.pop_front_if(|(end, _)| *end <= self.sent) {
            answers += count;
        }
        answers
    }

    fn give_back(&mut self) {
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(BUFFER_KEPT_BYTES);
        } else if self.sent >= BUFFER_KEPT_BYTES {
            self.bytes.drain(..self.sent);
            self.counts.iter_mut().for_each(|(end, _)| *end -= self.sent);
        } else {
            return;
        }
        self.sent = 0;
    }
}

/// What a write came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Answers that have left whole.
    pub(super) answers: u32,
    /// False when the client must read first.
    pub(super) takes_more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::binary::answer::push_answer;
    use protocol::binary::{AnswerHeader, AnswerKind, Answers, Busy, next_frame};

    /// Takes so many bytes at a time, and then none.
    struct Narrow {
        room: usize,
        taken: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn answer(out: &mut Outgoing, request_id: u64) {
        out.answer(|frame| push_answer(frame, AnswerHeader::to(request_id, AnswerKind::Refused, 4), &[]));
    }

    #[test]
    fn answers_of_one_turn_share_a_frame_and_count_once_they_have_left_whole() {
        let (mut out, mut stream) = (Outgoing::default(), Narrow { room: 20, taken: Vec::new() });
        (1..=3).for_each(|number| answer(&mut out, number));
        out.busy(9);
        assert_eq!(out.write_to(&mut stream).unwrap(), Written { answers: 0, takes_more: false });
        answer(&mut out, 4);
        stream.room = 16 + 3 * 24 - 20;
        assert_eq!(out.write_to(&mut stream).unwrap(), Written { answers: 3, takes_more: false });
        stream.room = 1_000;
        assert_eq!(out.write_to(&mut stream).unwrap(), Written { answers: 2, takes_more: true });
        assert_eq!(out.waiting_bytes(), 0);
        let first = next_frame(&stream.taken, FRAME_MAX_BYTES).unwrap().unwrap();
        assert_eq!(Answers::check(first.body, first.count).unwrap().count(), 3);
        let second = next_frame(&stream.taken[first.size()..], FRAME_MAX_BYTES).unwrap().unwrap();
        assert_eq!(Busy::parse(second.body, second.count).unwrap().request_ids.len(), 1);
    }

    #[test]
    fn more_answers_than_a_frame_holds_become_two() {
        let (mut out, mut stream) = (Outgoing::default(), Narrow { room: usize::MAX, taken: Vec::new() });
        let count = u64::from(FRAME_ITEMS_MAX) + 5;
        (0..count).for_each(|number| answer(&mut out, number));
        assert_eq!(out.write_to(&mut stream).unwrap(), Written { answers: count as u32, takes_more: true });
        let first = next_frame(&stream.taken, FRAME_MAX_BYTES).unwrap().unwrap();
        let second = next_frame(&stream.taken[first.size()..], FRAME_MAX_BYTES).unwrap().unwrap();
        assert_eq!((first.count, second.count), (FRAME_ITEMS_MAX, 5));
    }
}
