//! What an idempotency key does for the operations: remembered when one begins, asked before the next, told of when somebody asks (I4).

use super::Stop;
use crate::idempotency::{Key, KeyAt};
use crate::input::Token;
use crate::shard::{Shard, Timer};
use crate::table::SlotAt;
use crate::wheel::Alarm;
use protocol::command::Command;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::transaction::OperationKey;
use protocol::words::Verb;

/// Wait before an expired key of an operation that is still under way is looked at again, seconds.
const KEY_GRACE_S: u32 = 1;

impl Shard {
    /// The key was used before: the same request gets the same answer, or waits for it; another one is refused (I4).
    pub(super) fn ask_again(&mut self, token: Token, command: &Command, verb: Verb, at: KeyAt) -> Result<(), Stop> {
        let key = self.keys[at];
        if key.request != command.request_hash || key.verb != verb {
            return Err(Refusal::KeyReused.into());
        }
        if key.answer_version != 0 {
            self.tell_answer(token, &key);
            return Ok(());
        }
        if !self.waiters.has_room() {
            return Err(Refusal::Busy.into());
        }
        let at = self.under_way(&key);
        self.wait(at, token, true);
        Ok(())
    }

    /// Tells what came of a key's operation so far, and changes nothing.
    pub(crate) fn find_key(&mut self, token: Token, hash: &[u8; 16]) {
        let Some(at) = self.keys.find(hash) else { return self.effects.refuse(token, Refusal::NotFound) };
        let key = self.keys[at];
        if key.answer_version != 0 {
            return self.tell_answer(token, &key);
        }
        let at = self.under_way(&key);
        self.show(token, at, key.verb);
    }

    /// Tells the version that answered a key's operation, or that it has left memory.
    fn tell_answer(&mut self, token: Token, key: &Key) {
        let at = self.table.find(key.transaction);
        match at.filter(|at| self.table[*at].transaction.version.get() == key.answer_version) {
            Some(at) => self.show(token, at, key.verb),
            None => self.effects.reply_stored(token, key.transaction, key.answer_version, key.verb),
        }
    }

    fn show(&mut self, token: Token, at: SlotAt, verb: Verb) {
        self.scratch.clear();
        self.tails.read(self.table[at].tail, &mut self.scratch);
        self.effects.reply_version(token, &self.table[at].transaction, &self.scratch, verb, true);
    }

    fn under_way(&self, key: &Key) -> SlotAt {
        self.table.find(key.transaction).expect("an operation under way keeps its transaction in memory")
    }

    /// Remembers the operation's key, if it came with one. It has no answer yet.
    pub(super) fn remember_key(&mut self, command: &Command, transaction: Xid, verb: Verb) -> OperationKey {
        if !command.has_key() {
            return OperationKey::none();
        }
        let expires_at = self.now.plus_s(command.key_window_s.get());
        let (hash, request) = (command.key_hash, command.request_hash);
        self.keep_key(Key { hash, request, transaction, verb, answer_version: 0, expires_at, alarm: Alarm::NONE });
        OperationKey { hash, request, expires_at: expires_at.0.into() }
    }

    pub(super) fn keep_key(&mut self, key: Key) {
        let at = self.keys.insert(key);
        self.keys[at].alarm = self.wheel.set(key.expires_at, Timer::Key(at));
    }

    pub(crate) fn key_expired(&mut self, at: KeyAt) {
        // A window shorter than the processor's time-out must not let the same key through twice (I4).
        let Key { answer_version, transaction, .. } = self.keys[at];
        if answer_version == 0 && self.table.find(transaction).is_some() {
            self.keys[at].alarm = self.wheel.set(self.now.plus_s(KEY_GRACE_S), Timer::Key(at));
            return;
        }
        self.keys.remove(at);
    }
}
