//! Callers that wait for a shard's reply, by token: a slab whose generations tell an old token from a new one.

use switch_core::input::Token;

struct Slot<C> {
    generation: u32,
    caller: Option<C>,
}

/// The slab.
pub struct Waiting<C> {
    slots: Vec<Slot<C>>,
    free: Vec<u32>,
    callers_max: u32,
}

impl<C> Waiting<C> {
    /// Room for `callers_max` callers.
    pub fn new(callers_max: u32) -> Waiting<C> {
        Waiting { slots: Vec::new(), free: Vec::new(), callers_max }
    }

    /// Lets a caller wait. Gives it back when there is no room.
    pub fn enter(&mut self, caller: C) -> Result<Token, C> {
        let at = match self.free.pop() {
            Some(at) => at,
            None if self.slots.len() < self.callers_max as usize => {
                self.slots.push(Slot { generation: 0, caller: None });
                self.slots.len() as u32 - 1
            }
            None => return Err(caller),
        };
        let slot = &mut self.slots[at as usize];
        slot.caller = Some(caller);
        Ok(Token(u64::from(slot.generation) << 32 | u64::from(at)))
    }

    /// Takes a caller out. `None` for a token whose caller has been taken before.
    pub fn leave(&mut self, token: Token) -> Option<C> {
        let (generation, at) = ((token.0 >> 32) as u32, token.0 as u32);
        let slot = self.slots.get_mut(at as usize).filter(|slot| slot.generation == generation)?;
        let caller = slot.caller.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(at);
        Some(caller)
    }

    /// Takes all callers out.
    pub fn leave_all(&mut self) -> impl Iterator<Item = C> {
        let slots = std::mem::take(&mut self.slots);
        self.free.clear();
        slots.into_iter().filter_map(|slot| slot.caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_once() {
        let mut waiting = Waiting::new(1);
        let first = waiting.enter("first").unwrap();
        assert_eq!(waiting.enter("no room"), Err("no room"));
        assert_eq!(waiting.leave(first), Some("first"));
        let second = waiting.enter("second").unwrap();
        assert_ne!(first, second);
        assert_eq!((waiting.leave(first), waiting.leave(second)), (None, Some("second")));
    }
}
