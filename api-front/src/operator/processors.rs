//! What an operator says of a processor: that it is there, and whether it takes payments.

use super::added::Added;
use super::changes::{AS_CONFIGURED, Made, NotMade, Order, PutInForce, Thing};
use super::{Operator, Steered};
use crate::accounts::{processor_id_of, terms_of};
use crate::config::ProcessorSettings;
use crate::config::typed::TypedProcessor;
use crate::links::LinkHandle;
use crate::links::host::Host;
use crate::settlement::cut_over::CutOver;
use crate::switch::directory::{Processor, ProcessorKind};
use crate::switch::door::{Door, Return};
use crate::switch::readiness::LinkVitals;
use persistence::projection::StoredChange;
use persistence::sealing::Sealer;
use protocol::change::{Area, ChangedBy};
use protocol::choice::SKIP_PROCESSOR_MAX;
use protocol::id::Xid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use switch_core::input::{ProcessorState, ProcessorTerms};

/// The word for a state in the APIs and in a change's text.
pub const fn word_of(state: ProcessorState) -> &'static str {
    match state {
        ProcessorState::Enabled => "enabled",
        ProcessorState::Draining => "draining",
        ProcessorState::Disabled => "disabled",
    }
}

fn state_of(word: &str) -> Option<ProcessorState> {
    [ProcessorState::Enabled, ProcessorState::Draining, ProcessorState::Disabled]
        .into_iter()
        .find(|state| word_of(*state) == word)
}

/// The text of a processor's change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    state: String,
    /// Of one that was added at run time: the number in records, and what the configuration would say of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    added: Option<Added>,
}

/// A processor as the configuration has it, and its link.
#[derive(Debug)]
pub struct SteeredProcessor {
    /// The id in the APIs.
    pub id: Xid,
    /// What the configuration file says.
    pub configured: ProcessorTerms,
    /// Its link; none when it is configured no more.
    pub link: Option<LinkHandle>,
    /// What was said when it was added at run time.
    pub added: Option<Added>,
}

impl SteeredProcessor {
    fn thing(&self) -> Thing {
        Thing { area: Area::Processor, subject: self.id }
    }

    /// What a text says of it.
    fn state_of(&self, text: &str) -> Result<ProcessorState, String> {
        match Text::of(text)? {
            Some(Text { state, .. }) => parsed(&state),
            // One that was added is then nobody's.
            None if self.added.is_some() => Ok(ProcessorState::Draining),
            None => Ok(self.configured.state),
        }
    }

    fn terms(&self, state: ProcessorState) -> ProcessorTerms {
        ProcessorTerms { state, ..self.configured }
    }
}

impl Text {
    fn of(text: &str) -> Result<Option<Text>, String> {
        if text == AS_CONFIGURED { Ok(None) } else { serde_json::from_str(text).map(Some).map_err(|error| error.to_string()) }
    }

    fn written(&self) -> Result<String, NotMade> {
        serde_json::to_string(self).map_err(|error| NotMade::Invalid(error.to_string()))
    }
}

fn parsed(word: &str) -> Result<ProcessorState, String> {
    state_of(word).ok_or_else(|| format!("state: must be enabled, draining or disabled, got {word:?}"))
}

fn put(terms: ProcessorTerms, doors: &[Door]) {
    for door in doors {
        door.give(Return::Processor(terms));
    }
}

/// Processors that were added at run time and are still there, with the indexes in their records. One that can't be read any more is
/// left out, and takes nothing new: its payments stay.
pub fn added_processors(changes: &[StoredChange], sealer: &Sealer) -> Vec<(Added, ProcessorSettings)> {
    let mut newest: BTreeMap<Xid, &StoredChange> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.area == Area::Processor) {
        newest.insert(change.subject, change);
    }
    let added = newest.values().filter_map(|change| {
        let text = Text::of(&String::from_utf8_lossy(&change.text)).ok().flatten()?;
        let added = text.added?;
        match added.checked(&change.subject, sealer) {
            Ok(settings) => Some((added, settings)),
            Err(error) => {
                tracing::error!(processor = %change.subject, %error, "a processor that was added can't be used any more");
                None
            }
        }
    });
    let mut added: Vec<_> = added.collect();
    added.sort_unstable_by_key(|(added, _)| added.index());
    added
}

impl Operator {
    /// A processor and its link.
    pub fn processor(&self, id: &Xid) -> Option<&SteeredProcessor> {
        self.steered.processors.iter().find(|processor| processor.id == *id)
    }

    /// All processors that transactions may name.
    pub fn processors(&self) -> impl Iterator<Item = &SteeredProcessor> {
        self.steered.processors.iter()
    }

    /// When a processor's day ends; `None` when its batches are closed by command only.
    pub fn cut_over(&self, index: u16) -> Option<CutOver> {
        self.steered.cut_overs.borrow().iter().find(|(processor, _)| *processor == index).map(|(_, cut_over)| *cut_over)
    }

    /// Whether a processor takes payments now.
    pub async fn processor_state(&self, processor: &SteeredProcessor) -> ProcessorState {
        let in_force = self.changes.in_force(processor.thing()).await;
        // A text in force was checked when it was made; a later version's word is not obeyed here either.
        processor.state_of(&in_force.text).unwrap_or(ProcessorState::Draining)
    }

    /// The number of the change that has last said whether a processor takes payments; 0 when none has.
    pub async fn processor_version(&self, processor: &SteeredProcessor) -> u32 {
        self.changes.in_force(processor.thing()).await.version
    }

    /// Says whether a processor takes payments from now on.
    pub async fn set_processor_state(
        &self,
        processor: &SteeredProcessor,
        state: ProcessorState,
        order: Order,
    ) -> Result<Made, NotMade> {
        let text = Text { state: word_of(state).to_owned(), added: processor.added.clone() };
        self.change_processor(processor, text.written()?, order).await
    }

    pub(super) async fn change_processor(
        &self,
        processor: &SteeredProcessor,
        text: String,
        order: Order,
    ) -> Result<Made, NotMade> {
        let state = processor.state_of(&text);
        let (terms, doors) = (state.map(|state| processor.terms(state)), self.steered.doors.clone());
        let check = move |_| {
            let terms = terms?;
            Ok(Box::new(move || put(terms, &doors)) as PutInForce)
        };
        self.changes.make(processor.thing(), text, order, check).await
    }

    /// Adds a processor: its link connects, and payments may go to it from the next one on.
    pub async fn add_processor(&self, typed: TypedProcessor, by: ChangedBy) -> Result<Made, NotMade> {
        let settings = ProcessorSettings::check("", typed.clone()).map_err(|error| NotMade::Invalid(error.to_string()))?;
        let host = Host::of(&settings).map_err(|error| NotMade::Invalid(error.to_string()))?;
        let _adding = self.adding.lock().await;
        let (table, id) = (&self.steered.table, processor_id_of(&settings.name));
        if table.by_name(&settings.name).is_some() {
            return Err(NotMade::Invalid(format!("name = {:?} is another processor's: it must be unique", settings.name)));
        }
        let index = 1 + table.iter().map(|known| known.index).max().unwrap_or(0);
        if index > SKIP_PROCESSOR_MAX || !table.has_room() {
            return Err(NotMade::Invalid("no more processors can be added before the next start".to_owned()));
        }
        let processor = Processor { index, id, name: settings.name.clone(), kind: settings.kind };
        let state = if settings.enabled { ProcessorState::Enabled } else { ProcessorState::Draining };
        let added = Added::new(index, &id, typed, &self.steered.sealer).map_err(|error| NotMade::Invalid(error.to_string()))?;
        let text = Text { state: word_of(state).to_owned(), added: Some(added.clone()) }.written()?;
        let steered = self.steered.clone();
        let check = move |_| Ok(Box::new(move || steered.begin(processor, added, &settings, host)) as PutInForce);
        let thing = Thing { area: Area::Processor, subject: id };
        self.changes.make(thing, text, Order::of(by).expecting(Some(0)), check).await
    }

    /// After a start: what was said before holds again.
    pub(super) async fn restore_processors(&self) {
        for processor in self.steered.processors.iter() {
            let in_force = self.changes.in_force(processor.thing()).await;
            if in_force.version > 0 {
                put(processor.terms(self.processor_state(processor).await), &self.steered.doors);
            }
        }
    }
}

impl Steered {
    /// A processor that was added joins the others: shards know its queue before its terms, and everybody else after both.
    fn begin(&self, processor: Processor, added: Added, settings: &ProcessorSettings, host: Host) {
        let (id, index, configured) = (processor.id, processor.index, terms_of(&processor, Some(settings)));
        let (queue, link) = self.starters.links.start(index, settings, host.clone());
        for door in &self.doors {
            door.give(Return::Outbox { processor: index, queue: queue.clone() });
            door.give(Return::Processor(configured));
        }
        if processor.kind == ProcessorKind::SageAch {
            self.starters.collectors.start(&processor, host);
        }
        let vitals = LinkVitals { processor: id, name: processor.name.clone(), link: link.clone() };
        let steered = SteeredProcessor { id, configured, link: Some(link), added: Some(added) };
        let is_kept = self.watched.push(vitals).is_ok() && self.processors.push(steered).is_ok() && self.table.add(processor);
        assert!(is_kept, "room for a processor is made sure of before it is added, one at a time");
        if let Some(cut_over) = settings.cut_over {
            self.cut_overs.send_modify(|cut_overs| cut_overs.push((index, cut_over)));
        }
    }
}
