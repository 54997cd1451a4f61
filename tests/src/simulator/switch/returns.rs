//! What the collector of returned entries does: asks a host for its feed page by page, finds whose entry each notice is about, gives it to
//! that shard, and keeps its place once all before it is durable. A place that was not kept brings notices again.

use super::home::{Reading, Wanted};
use super::{Scene, Switch, Task};
use crate::simulator::cards;
use crate::simulator::faults::Fault;
use crate::simulator::stage::Stage;
use crate::simulator::web::{Part, WebCame, WebRequest};
use api_front::limits::{RETURNS_RETRY, RETURNS_TIMEOUT};
use api_front::returns::is_passing;
use api_front::switch::door::{FromBank, Hydration, Return, Told};
use api_front::switch::version::Version;
use persistence::sealing::SecretKind;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::tail::tag;
use std::collections::VecDeque;
use switch_core::connectors::sage::feed::{self, Notice};
use switch_core::shard_of;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

/// Brings one processor's notices to their shards.
pub(super) struct Collector {
    processor: u16,
    /// The number of its request for a page, while it waits for one.
    asked: Option<u64>,
    /// Those of the page that are not brought yet.
    notices: VecDeque<Notice>,
    /// The place that it has come to, and the end of the feed when the page was read.
    place: u64,
    feed_end: u64,
    bringing: Option<Bringing>,
}

/// A notice that a shard was given.
struct Bringing {
    shard: u16,
    id: Xid,
    told: oneshot::Receiver<Told>,
}

impl Collector {
    pub(super) fn new(processor: u16) -> Collector {
        Collector { processor, asked: None, notices: VecDeque::new(), place: 0, feed_end: 0, bringing: None }
    }

    fn place_key(&self) -> String {
        feed_key(self.processor)
    }
}

/// Under which a processor's place in its feed is kept.
pub fn feed_key(processor: u16) -> String {
    format!("returns_{processor}")
}

impl Switch {
    /// Asks for the next page.
    pub(super) fn collect(&mut self, scene: &mut Scene<'_>, collector: usize) {
        if scene.home.sql_is_away.get() {
            return self.collect_later(scene.stage, collector);
        }
        let asker = self.next_asker(Part::Collector(collector));
        let asking = &mut self.collectors[collector];
        asking.place = scene.home.kept_place(&asking.place_key());
        (asking.asked, asking.bringing) = (Some(asker.number), None);
        asking.notices.clear();
        let (processor, path) = (asking.processor, feed::path(asking.place));
        let until = self.now(scene.stage).plus_s(RETURNS_TIMEOUT.as_secs() as u32);
        self.ask_by_web(scene, processor, asker, WebRequest::to("GET", &path, Vec::new()), until);
    }

    fn collect_later(&self, stage: &mut Stage, collector: usize) {
        self.plan(stage, self.setup.feed_every_us, Task::Collect { collector });
    }

    /// A page has come, or nothing.
    pub(super) fn collector_heard(&mut self, scene: &mut Scene<'_>, collector: usize, number: u64, came: &WebCame) {
        let hearing = &mut self.collectors[collector];
        if hearing.asked != Some(number) {
            return;
        }
        hearing.asked = None;
        let page = match came {
            WebCame::Answer(200, body) => feed::read(body, hearing.place).ok(),
            WebCame::Answer(..) | WebCame::NotSent | WebCame::Lost => None,
        };
        match page.filter(|page| !page.notices.is_empty()) {
            Some(page) => {
                (hearing.feed_end, hearing.notices) = (page.last, page.notices.into());
                self.bring_next(scene, collector);
            }
            None => self.collect_later(scene.stage, collector),
        }
    }

    fn bring_next(&mut self, scene: &mut Scene<'_>, collector: usize) {
        let bringing = &self.collectors[collector];
        match bringing.notices.front() {
            Some(notice) => {
                let wanted = Wanted::Entry { collector, processor: bringing.processor, rrn: notice.rrn };
                let (wants_lsn, read_at) = (self.scribe.durable_lsn, self.now(scene.stage));
                self.read(scene, Reading { wants_lsn, read_at, wanted });
            }
            None => {
                let (place, feed_end) = (bringing.place, bringing.feed_end);
                self.keep_place(scene, collector);
                let wait_us = if feed_end > place { 0 } else { self.setup.feed_every_us };
                self.plan(scene.stage, wait_us, Task::Collect { collector });
            }
        }
    }

    /// The reading that a notice waits for can't be made now.
    pub(super) fn collect_again(&mut self, stage: &mut Stage, collector: usize) {
        self.plan(stage, RETURNS_RETRY.as_micros() as u64, Task::Collect { collector });
    }

    /// A notice's entry, and of a refund its sale, was read: the shard is given both, in case they have left memory.
    pub(super) fn entry_found(
        &mut self,
        scene: &mut Scene<'_>,
        collector: usize,
        (entry, sale): (Option<Version>, Option<Version>),
        read_at: Micros,
    ) {
        let bringing = &mut self.collectors[collector];
        let Some(notice) = bringing.notices.front() else { return };
        let Some(entry) = entry else { return scene.checks.entry_of_nobody(notice.rrn) };
        let (id, merchant) = (entry.transaction().id, entry.transaction().merchant);
        let facts = facts(notice, &entry);
        let hydrations = [sale, Some(entry)].into_iter().flatten().map(|version| Hydration { version, read_at }).collect();
        let (reply, told) = oneshot::channel();
        let news = FromBank { transaction: id, hydrations, facts, reply };
        let returned = match notice.is_return() {
            true => Return::Returned { news, code: notice.code, returned_at: notice.at },
            false => Return::ChangeNotified(news),
        };
        let shard = shard_of(merchant, self.setup.shards);
        scene.stage.tell(format_args!("notice {} is about {id}", notice.sequence));
        bringing.bringing = Some(Bringing { shard, id, told });
        self.give(scene.stage, shard, returned);
    }

    /// What shards have told of notices.
    pub(super) fn look_after_returns(&mut self, scene: &mut Scene<'_>) {
        for collector in 0..self.collectors.len() {
            let Some(bringing) = &mut self.collectors[collector].bringing else { continue };
            let told = match bringing.told.try_recv() {
                Err(TryRecvError::Empty) => continue,
                Ok(told) => Some(told),
                Err(TryRecvError::Closed) => None,
            };
            if let Some(told) = &told {
                scene.checks.bank_told(bringing.shard, bringing.id, told);
            }
            self.collectors[collector].bringing = None;
            self.brought(scene, collector, told);
        }
    }

    fn brought(&mut self, scene: &mut Scene<'_>, collector: usize, told: Option<Told>) {
        match told {
            None | Some(Told::Absent(_)) => {}
            Some(Told::Refused(refusal)) if is_passing(refusal) => {}
            Some(Told::Version { .. } | Told::Stored { .. } | Told::Refused(_)) => {
                let done = self.collectors[collector].notices.pop_front();
                self.collectors[collector].place = done.map_or(0, |notice| notice.sequence);
                return self.bring_next(scene, collector);
            }
        }
        self.keep_place(scene, collector);
        self.collect_again(scene.stage, collector);
    }

    fn keep_place(&mut self, scene: &mut Scene<'_>, collector: usize) {
        if !scene.home.sql_is_away.get() && !scene.stage.strikes(Fault::PlaceLost) {
            let keeping = &self.collectors[collector];
            scene.home.keep_place(&keeping.place_key(), keeping.place);
        }
    }
}

/// What a notice tells, as a tail. Corrected data are sealed like the account that they belong to.
fn facts(notice: &Notice, entry: &Version) -> Vec<u8> {
    let mut facts = notice.facts();
    if let Some(corrected) = &notice.corrected {
        let (merchant, fingerprint) = (&entry.transaction().merchant, &entry.transaction().fingerprint);
        let mut sealed = Vec::new();
        let sealing = cards::sealer();
        let done = sealing.seal_text(SecretKind::Correction, &[corrected.as_str()], merchant, fingerprint, &mut sealed);
        done.expect("the machine has random bytes");
        facts.bytes(tag::SEALED_CHANGE, &sealed);
    }
    facts.finish()
}
