//! Values that start where a cache line does, so that no vector, and no row of a tile, lies in two.

use super::fill::cleared;
use super::share::for_each;

/// Bytes of a cache line.
const LINE: usize = 64;

#[derive(Default)]
pub(super) struct Aligned<T>(Vec<T>);

impl<T: Copy + Default + Send> Aligned<T> {
    /// `len` values, each `chunk` of which is given to `fill`, all 0 (or what else is their default), with its number, by the thread
    /// that has just cleared it.
    pub(super) fn in_chunks(len: usize, chunk: usize, fill: impl Fn(usize, &mut [T]) + Send + Sync) -> Self {
        let mut values: Vec<T> = Vec::with_capacity(len + Self::ROOM);
        let start = values.as_ptr().align_offset(LINE).min(Self::ROOM);
        let (before, rest) = values.spare_capacity_mut()[..len + Self::ROOM].split_at_mut(start);
        let (within, after) = rest.split_at_mut(len);
        cleared(before);
        cleared(after);
        for_each(within.chunks_mut(chunk.max(1)).enumerate().collect(), |(number, chunk)| fill(number, cleared(chunk)));
        // SAFETY: what is before, in and after the chunks has been written, which is all of so many values.
        unsafe { values.set_len(len + Self::ROOM) };
        Self(values)
    }
}

impl<T: Copy + Default> Aligned<T> {
    /// Values beyond those asked for, so that these can start where a line does.
    const ROOM: usize = LINE / size_of::<T>();

    /// The first `len` values, whatever they were before.
    pub(super) fn take(&mut self, len: usize) -> &mut [T] {
        if self.0.len() < len + Self::ROOM {
            self.0.resize(len + Self::ROOM, T::default());
        }
        let start = self.0.as_ptr().align_offset(LINE);
        &mut self.0[start..start + len]
    }

    /// The first `len` values.
    pub(super) fn first(&self, len: usize) -> &[T] {
        let start = self.0.as_ptr().align_offset(LINE);
        &self.0[start..start + len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_cleared_and_in_order_from_the_start_of_a_line() {
        for len in [0, 1, 10, 100] {
            let values = Aligned::in_chunks(len, 4, |number, values: &mut [f32]| {
                assert!(values.iter().all(|value| *value == 0.0));
                values[0] = 1.0 + number as f32;
            });
            let found = values.first(len);
            assert!(found.as_ptr().cast::<u8>().align_offset(LINE) == 0);
            let expected = (0..len).map(|at| if at % 4 == 0 { 1.0 + (at / 4) as f32 } else { 0.0 });
            assert!(found.iter().copied().eq(expected), "{found:?}");
        }
    }

    #[test]
    fn values_are_kept_until_more_are_taken() {
        let mut values = Aligned::default();
        values.take(3).copy_from_slice(&[1u16, 2, 3]);
        assert_eq!(values.take(2), [1, 2]);
        assert_eq!(values.first(3), [1, 2, 3]);
        assert_eq!(values.take(100).len(), 100);
    }
}
