//! New vectors, filled by threads chunk by chunk.

use super::share::new_in_chunks;
use std::mem::MaybeUninit;

/// Values that one thread fills sooner than it wakes another.
const LEAST: usize = 8 * 1024;

/// Values that are written at a time: so few that they are still in the nearest cache after they have been cleared.
pub(crate) const CHUNK: usize = 4 * 1024;

/// A vector of `len` values. Each `chunk` of them is given to `fill`, all 0 (or what else is their default), with its number,
/// by the thread that has just cleared it: it is still in that thread's cache.
pub(crate) fn in_chunks<T: Copy + Default + Send>(len: usize, chunk: usize, fill: impl Fn(usize, &mut [T]) + Sync) -> Vec<T> {
    let clear_and_fill = |(): &mut (), number: usize, chunk: &mut [MaybeUninit<T>]| fill(number, cleared(chunk));
    // SAFETY: every value of a chunk is cleared.
    unsafe { new_in_chunks(len, chunk, LEAST, clear_and_fill) }
}

/// Values that are all 0, or what else is their default.
pub(super) fn cleared<T: Copy + Default>(values: &mut [MaybeUninit<T>]) -> &mut [T] {
    values.iter_mut().for_each(|value| {
        value.write(T::default());
    });
    // SAFETY: every value has just been written.
    unsafe { values.assume_init_mut() }
}

/// All of `values`, of which there are about `count`, in memory that is allocated once: as it grows, an allocator locks what it came from,
/// which may be another thread's.
pub(super) fn collected<T>(count: usize, values: impl Iterator<Item = T>) -> Vec<T> {
    let mut all = Vec::with_capacity(count);
    all.extend(values);
    all
}

/// Clears what is about to be written if it is part of so many values, `of`, that caches do not hold them: a line that is cleared
/// as a whole need not be read from memory first, as one that is written piece by piece is.
pub(super) fn claim<T: Copy + Default>(values: &mut [MaybeUninit<T>], of: usize) {
    /// 4 MiB.
    const LARGE: usize = 4 << 20;
    if of * size_of::<T>() >= LARGE {
        cleared(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_cleared_and_in_order() {
        let found = in_chunks(10, 4, |number, values: &mut [f64]| {
            assert!(values.iter().all(|value| *value == 0.0));
            values[0] = 1.0 + number as f64;
        });
        assert_eq!(found, [1., 0., 0., 0., 2., 0., 0., 0., 3., 0.]);
        assert!(in_chunks::<f32>(0, 4, |_, _| ()).is_empty());
    }

    #[test]
    fn what_is_part_of_many_values_is_cleared_before_it_is_written() {
        let claimed = |of: usize| {
            let mut values = [MaybeUninit::new(1f32); 3];
            claim(&mut values, of);
            // SAFETY: they have been written above.
            values.map(|value| unsafe { value.assume_init() })
        };
        assert_eq!([claimed(3), claimed(1 << 20)], [[1.0; 3], [0.0; 3]]);
    }
}
