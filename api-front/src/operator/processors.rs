//! What an operator says of a processor: whether it takes payments.

use super::Operator;
use super::changes::{AS_CONFIGURED, Made, NotMade, PutInForce, Thing};
use crate::links::LinkHandle;
use crate::settlement::cut_over::CutOver;
use crate::switch::door::{Door, Return};
use protocol::change::Area;
use protocol::id::Xid;
use serde::{Deserialize, Serialize};
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
}

/// A processor as the configuration has it, and its link.
#[derive(Debug, Clone)]
pub struct SteeredProcessor {
    /// The id in the APIs.
    pub id: Xid,
    /// What the configuration file says.
    pub configured: ProcessorTerms,
    /// Its link; none when it is configured no more.
    pub link: Option<LinkHandle>,
}

impl SteeredProcessor {
    fn thing(&self) -> Thing {
        Thing { area: Area::Processor, subject: self.id }
    }

    /// What a text says of it.
    fn state_of(&self, text: &str) -> Result<ProcessorState, String> {
        if text == AS_CONFIGURED {
            return Ok(self.configured.state);
        }
        let text: Text = serde_json::from_str(text).map_err(|error| error.to_string())?;
        state_of(&text.state).ok_or_else(|| format!("state: must be enabled, draining or disabled, got {:?}", text.state))
    }

    fn put(&self, state: ProcessorState, doors: &[Door]) {
        let terms = ProcessorTerms { state, ..self.configured };
        for door in doors {
            door.give(Return::Processor(terms));
        }
    }
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

    /// Says whether a processor takes payments from now on.
    pub async fn set_processor_state(&self, processor: &SteeredProcessor, state: ProcessorState) -> Result<Made, NotMade> {
        let text = serde_json::to_string(&Text { state: word_of(state).to_owned() })
            .map_err(|error| NotMade::Invalid(error.to_string()))?;
        self.change_processor(processor, text, None, 0).await
    }

    pub(super) async fn change_processor(
        &self,
        processor: &SteeredProcessor,
        text: String,
        expected: Option<u32>,
        undoes: u32,
    ) -> Result<Made, NotMade> {
        let (steered, doors, new) = (processor.clone(), self.steered.doors.clone(), text.clone());
        let check = move |_| {
            let state = steered.state_of(&new)?;
            Ok(Box::new(move || steered.put(state, &doors)) as PutInForce)
        };
        self.changes.make(processor.thing(), text, expected, undoes, check).await
    }

    /// After a start: what was said before holds again.
    pub(super) async fn restore_processors(&self) {
        for processor in &self.steered.processors {
            let in_force = self.changes.in_force(processor.thing()).await;
            if in_force.version > 0 {
                processor.put(self.processor_state(processor).await, &self.steered.doors);
            }
        }
    }
}
