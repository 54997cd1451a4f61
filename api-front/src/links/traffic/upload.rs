//! Totals that the host does not agree with: the batch's members go to it one by one, then the totals once more.
//!
//! The shard knows nothing of it: it waits for the answer to its totals, and gets the last one. Members are read back by whoever drives
//! the traffic, a page at a time; the next page is wanted when the host has answered the one before.

use super::{Happened, Traffic};
use crate::links::order::Order;
use crate::switch::door::Return;
use crate::switch::version::Version;
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::words::Status;
use std::collections::BTreeSet;
use std::sync::Arc;
use switch_core::connectors::tsys::{Acceptor, Detail, DetailAnswer, Outgoing, numbers_of};
use switch_core::input::{Answer, Sent};
use switch_core::output::{Request, Subject};

/// Action code of totals that are not the host's.
const OUT_OF_BALANCE: [u8; 2] = *b"95";
/// An upload without an answer for so long is given up when its totals come again, milliseconds.
const UPLOAD_STALLS_AFTER_MS: u32 = 10_000;

/// Totals that wait for their answer.
pub(super) struct Totals {
    sent: Sent,
    shard: u16,
    batch: Box<Batch>,
    acceptor: Arc<Acceptor>,
    stage: Stage,
}

enum Stage {
    /// They went for the first time.
    Presented,
    /// Their members go.
    Uploading(Upload),
    /// They went once more.
    PresentedAgain,
}

struct Upload {
    /// What the host said to the totals.
    refusal: Answer,
    /// Members that were written, by their record number less one.
    written: Vec<Xid>,
    /// The last member that was given, written or not.
    after: Xid,
    /// Record numbers without an answer.
    unanswered: BTreeSet<u32>,
    moved_at: Micros,
}

impl Traffic {
    /// True for totals that are being uploaded: their answer will come without being asked for again.
    pub(super) fn is_uploading(&mut self, order: &Order, now: Micros) -> bool {
        let Some(place) = self.place_of(&order.sent.id) else { return false };
        match &self.totals[place].stage {
            Stage::Uploading(upload) if now < upload.moved_at.plus_ms(UPLOAD_STALLS_AFTER_MS) => true,
            Stage::Presented | Stage::Uploading(_) | Stage::PresentedAgain => {
                self.totals.swap_remove(place);
                false
            }
        }
    }

    /// Remembers totals that were written.
    pub(super) fn presented(&mut self, order: &Order, batch: &Batch, acceptor: &Arc<Acceptor>) {
        let (sent, shard, acceptor) = (order.sent, order.shard, Arc::clone(acceptor));
        self.totals.push(Totals { sent, shard, batch: Box::new(*batch), acceptor, stage: Stage::Presented });
    }

    fn place_of(&self, batch: &Xid) -> Option<usize> {
        self.totals.iter().position(|totals| totals.sent.id == *batch)
    }

    /// An answer to totals: the shard's, unless the members are to go first.
    pub(super) fn totals_answered(&mut self, shard: u16, answer: Answer) {
        let id = answer.sent.id;
        match self.place_of(&id) {
            Some(place) if answer.processor_code == OUT_OF_BALANCE && matches!(self.totals[place].stage, Stage::Presented) => {
                tracing::warn!(link = self.options.name, batch = %id, "out of balance: the batch's members are uploaded");
                let (written, unanswered, after) = (Vec::new(), BTreeSet::new(), Xid::NONE);
                let upload = Upload { refusal: answer, written, after, unanswered, moved_at: self.now };
                self.totals[place].stage = Stage::Uploading(upload);
                self.happened.push_back(Happened::WantsMembers { batch: id, after });
            }
            place => {
                place.map(|place| self.totals.swap_remove(place));
                self.give(shard, Return::Answer { answer, facts: Vec::new() });
            }
        }
    }

    /// A page of a batch's members, those behind `after` in the order of their ids; who has dropped out of the batch is passed over. An
    /// empty page is the end: the totals go once more. A page that nobody waits for any more changes nothing.
    pub fn give_members(&mut self, batch: &Xid, after: &Xid, page: &[Version], now: Micros) {
        self.now = now;
        let Some(place) = self.place_of(batch) else { return };
        let Totals { batch, acceptor, stage: Stage::Uploading(upload), .. } = &mut self.totals[place] else { return };
        if upload.after != *after || !upload.unanswered.is_empty() {
            return;
        }
        let Some(last) = page.last() else { return self.present_again(place, now) };
        (upload.after, upload.moved_at) = (last.transaction().id, now);
        let mut is_written = true;
        for transaction in page.iter().map(Version::transaction).filter(|member| member.status() == Status::PendingSettlement) {
            let record = upload.written.len() as u32 + 1;
            is_written &= self.session.submit_detail(&Detail { transaction, batch, acceptor, record }).is_ok();
            upload.written.push(transaction.id);
            upload.unanswered.insert(record);
        }
        let (id, after, is_answered) = (batch.id, upload.after, upload.unanswered.is_empty());
        if !is_written {
            self.end_upload(place);
        } else if is_answered {
            self.happened.push_back(Happened::WantsMembers { batch: id, after });
        }
    }

    /// The members can't be read: the host's first word stands.
    pub fn no_members(&mut self, batch: &Xid) {
        if let Some(place) = self.place_of(batch) {
            self.end_upload(place);
        }
    }

    fn end_upload(&mut self, place: usize) {
        let Totals { shard, stage, .. } = self.totals.swap_remove(place);
        if let Stage::Uploading(upload) = stage {
            self.give(shard, Return::Answer { answer: upload.refusal, facts: Vec::new() });
        }
    }

    fn present_again(&mut self, place: usize, now: Micros) {
        let totals = &self.totals[place];
        let subject = Subject::Batch(&totals.batch);
        let request = Request { processor: self.options.index, sent: totals.sent, repeat: true, subject };
        let outgoing = Outgoing { request, shard: totals.shard, acceptor: &totals.acceptor, card: None };
        match self.session.submit_after_upload(&outgoing, now) {
            Ok(()) => self.totals[place].stage = Stage::PresentedAgain,
            Err(_) => self.end_upload(place),
        }
    }

    /// The host's word to one member.
    pub(super) fn detail_answered(&mut self, answer: &DetailAnswer) {
        let DetailAnswer { record, numbers, terminal, agrees } = *answer;
        let is_it = |totals: &&mut Totals| numbers_of(&totals.batch) == numbers && terminal_of(&totals.acceptor) == terminal;
        let Some(totals) = self.totals.iter_mut().find(is_it) else { return };
        let Stage::Uploading(upload) = &mut totals.stage else { return };
        if !upload.unanswered.remove(&record) {
            return;
        }
        upload.moved_at = self.now;
        if !agrees {
            let member = upload.written.get(record as usize - 1).copied().unwrap_or(Xid::NONE);
            tracing::error!(link = self.options.name, batch = %totals.sent.id, record, %member, "the host has it otherwise");
        }
        if upload.unanswered.is_empty() {
            self.happened.push_back(Happened::WantsMembers { batch: totals.sent.id, after: upload.after });
        }
    }

    /// The connection is gone: totals whose members were on their way are lost as others are.
    pub(super) fn uploads_lost(&mut self) {
        for Totals { sent, shard, stage, .. } in std::mem::take(&mut self.totals) {
            if matches!(stage, Stage::Uploading(_)) {
                self.give(shard, Return::Lost(sent));
            }
        }
    }
}

/// DE41 in its eight characters.
fn terminal_of(acceptor: &Acceptor) -> [u8; 8] {
    let mut bytes = [b' '; 8];
    bytes.iter_mut().zip(acceptor.terminal.bytes()).for_each(|(to, from)| *to = from);
    bytes
}
