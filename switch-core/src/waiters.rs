//! Callers that wait for one transaction's answer: chains in a slab, first come first told.

use crate::input::Token;

const NIL: u32 = u32::MAX;

/// A chain of callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    first: u32,
    last: u32,
}

impl Chain {
    /// Nobody waits.
    pub(crate) const EMPTY: Chain = Chain { first: NIL, last: NIL };
}

#[derive(Debug, Clone, Copy)]
struct Node {
    token: Token,
    /// True for a caller that came with the same key while the first was running.
    attached: bool,
    next: u32,
}

/// The slab.
#[derive(Debug)]
pub(crate) struct Waiters {
    nodes: Vec<Node>,
    free: u32,
    used: u32,
    waiters_max: u32,
}

impl Waiters {
    /// Room for `waiters_max` callers.
    pub(crate) fn new(waiters_max: u32) -> Waiters {
        Waiters { nodes: Vec::with_capacity(waiters_max as usize), free: NIL, used: 0, waiters_max }
    }

    /// True when one more can wait.
    pub(crate) fn has_room(&self) -> bool {
        self.used < self.waiters_max
    }

    /// Appends a caller.
    ///
    /// # Panics
    /// When there is no room: callers of this ask before they change anything.
    pub(crate) fn push(&mut self, chain: &mut Chain, token: Token, attached: bool) {
        assert!(self.has_room(), "room for a waiter is checked before a command changes anything");
        let node = self.take(Node { token, attached, next: NIL });
        match chain.last {
            NIL => chain.first = node,
            last => self.nodes[last as usize].next = node,
        }
        chain.last = node;
    }

    /// Takes the caller who has waited longest: its token, and whether it attached to a running request.
    pub(crate) fn pop(&mut self, chain: &mut Chain) -> Option<(Token, bool)> {
        if chain.first == NIL {
            return None;
        }
        let taken = chain.first;
        let Node { token, attached, next } = self.nodes[taken as usize];
        chain.first = next;
        if next == NIL {
            chain.last = NIL;
        }
        self.nodes[taken as usize].next = self.free;
        self.free = taken;
        self.used -= 1;
        Some((token, attached))
    }

    fn take(&mut self, node: Node) -> u32 {
        self.used += 1;
        if self.free == NIL {
            self.nodes.push(node);
            return self.nodes.len() as u32 - 1;
        }
        let taken = self.free;
        self.free = self.nodes[taken as usize].next;
        self.nodes[taken as usize] = node;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_come_first_told() {
        let mut waiters = Waiters::new(3);
        let (mut one, mut other) = (Chain::EMPTY, Chain::EMPTY);
        waiters.push(&mut one, Token(1), false);
        waiters.push(&mut other, Token(9), false);
        waiters.push(&mut one, Token(2), true);
        assert!(!waiters.has_room());
        assert_eq!(waiters.pop(&mut one), Some((Token(1), false)));
        assert_eq!(waiters.pop(&mut one), Some((Token(2), true)));
        assert_eq!((waiters.pop(&mut one), one), (None, Chain::EMPTY));
        assert!(waiters.has_room());
        assert_eq!(waiters.pop(&mut other), Some((Token(9), false)));
    }
}
