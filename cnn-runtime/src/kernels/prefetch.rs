//! Values that are asked for before they are read.
//!
//! They come from memory while something else is computed, if a few at a time are asked for. Processors guess what is read next, but
//! not while one part of an input is computed with for so long that the next one is not near.

/// Values of a cache line.
const LINE: usize = 16;

/// Values to ask for in some portions.
pub(super) struct Ahead<'a> {
    rest: &'a [f32],
    portion: usize,
}

impl<'a> Ahead<'a> {
    /// # Panics
    /// If there are no portions.
    pub(super) fn new(values: &'a [f32], portions: usize) -> Self {
        Self { rest: values, portion: values.len().div_ceil(portions).next_multiple_of(LINE) }
    }

    /// Asks for the next portion to be in the second-level cache; does nothing when all have been, or on other processors than x86-64.
    #[inline(always)]
    pub(super) fn ask(&mut self) {
        let (portion, rest) = self.rest.split_at(self.portion.min(self.rest.len()));
        self.rest = rest;
        #[cfg(target_arch = "x86_64")]
        for line in portion.chunks(LINE) {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            // SAFETY: every such processor has the instruction, which changes nothing that a program could see.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = portion;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_all_of_the_values_and_then_none() {
        for len in [0, 1, 16, 17, 1000] {
            for portions in [1, 3, 36] {
                let values = vec![0.0; len];
                let mut ahead = Ahead::new(&values, portions);
                (0..portions).for_each(|_| ahead.ask());
                assert!(ahead.rest.is_empty(), "{len} values in {portions} portions");
                ahead.ask();
            }
        }
    }
}
