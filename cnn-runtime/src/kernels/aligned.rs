//! Values that start where a cache line does, so that no vector, and no row of a tile, lies in two.

use super::fill::{cleared, collected};
use super::share::for_each;

/// Bytes of a cache line.
const LINE: usize = 64;

/// So many values, or some more, that rows which lie so far apart are not all in the same few places of a cache: an odd number of lines.
pub(super) fn odd_lines<T>(values: usize) -> usize {
    let of_line = LINE / size_of::<T>();
    (values.div_ceil(of_line) | 1) * of_line
}

#[derive(Default)]
pub(super) struct Aligned<T>(Vec<T>);

impl<T: Copy + Default + Send> Aligned<T> {
    /// So many values in strips of so many, each in pieces of so many; the last ones may have fewer. Each piece is given to `fill`, all 0 (or
    /// what else is their default), with the number of its strip and its place in that, by the thread that has just cleared it. Pieces
    /// in the same place of all strips follow each other.
    pub(super) fn in_pieces([len, strip, piece]: [usize; 3], fill: impl Fn(usize, usize, &mut [T]) + Send + Sync) -> Self {
        let mut values: Vec<T> = Vec::with_capacity(len + Self::ROOM);
        let start = values.as_ptr().align_offset(LINE).min(Self::ROOM);
        let (before, rest) = values.spare_capacity_mut()[..len + Self::ROOM].split_at_mut(start);
        let (within, after) = rest.split_at_mut(len);
        cleared(before);
        cleared(after);
        let (strip, piece) = (strip.max(1), piece.max(1));
        let count = len.div_ceil(strip) * strip.div_ceil(piece);
        let pieces = within.chunks_mut(strip).enumerate().flat_map(|(number, values)| {
            values.chunks_mut(piece).enumerate().map(move |(at, values)| (number, at * piece, values))
        });
        let mut pieces = collected(count, pieces);
        pieces.sort_by_key(|(_, place, _)| *place);
        for_each(pieces, |(number, place, values)| fill(number, place, cleared(values)));
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
    fn pieces_come_cleared_and_in_their_places_from_the_start_of_a_line() {
        for len in [0, 1, 10, 100] {
            let values = Aligned::in_pieces([len, 6, 4], |strip, place, values: &mut [f32]| {
                assert!(values.iter().all(|value| *value == 0.0));
                assert!(values.len() <= 4 - place / 2);
                values[0] = (1 + 6 * strip + place) as f32;
            });
            let found = values.first(len);
            assert!(found.as_ptr().cast::<u8>().align_offset(LINE) == 0);
            let expected = (0..len).map(|at| if [0, 4].contains(&(at % 6)) { 1.0 + at as f32 } else { 0.0 });
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
