//! Bytes as a row of decisions, so that a fuzzer's input can drive a state machine. Past the end every decision is zero.

/// What is left of the input.
pub(crate) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Script<'a> {
        Script(input)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn word(&mut self) -> u32 {
        self.bytes(4).iter().fold(0, |word, byte| word << 8 | u32::from(*byte))
    }

    /// A number below `bound`, of one byte.
    pub(crate) fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        const { assert!(N > 0 && N <= 256) };
        choices[usize::from(self.byte()) % N]
    }

    /// At most so many bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A piece that begins with its length, one byte.
    pub(crate) fn piece(&mut self) -> &'a [u8] {
        let length = self.byte();
        self.bytes(length.into())
    }

    /// Where to cut something of so many bytes in two.
    pub(crate) fn cut(&mut self, bytes: usize) -> usize {
        usize::from(self.byte()).min(bytes)
    }
}
