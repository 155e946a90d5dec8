//! The fuzzer's bytes as decisions.

/// Hands out what the fuzzer made up, byte by byte. When nothing is left every decision is the first choice, so whatever
/// is made of it comes to an end.
#[derive(Debug, Clone)]
pub struct Supply<'a>(&'a [u8]);

impl<'a> Supply<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below `bound`, which may be 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let mut number = usize::from(self.byte());
        if bound > 256 {
            number = number << 8 | usize::from(self.byte());
        }
        number % bound.max(1)
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    pub fn pick<'t, T>(&mut self, choices: &'t [T]) -> &'t T {
        &choices[self.below(choices.len())]
    }

    /// Up to so many bytes.
    pub fn take(&mut self, most: usize) -> &'a [u8] {
        let length = self.below(most + 1).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// A number of any size.
    pub fn integer(&mut self) -> i64 {
        let width = self.below(9).min(self.0.len());
        let (taken, rest) = self.0.split_at(width);
        self.0 = rest;
        let number = taken.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)).cast_signed();
        if self.once_in(4) { number.wrapping_neg() } else { number }
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}
