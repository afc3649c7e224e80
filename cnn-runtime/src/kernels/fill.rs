//! New vectors, filled by threads chunk by chunk.

use super::real::Real;
use rayon::prelude::*;

/// Values that one thread fills sooner than it wakes another.
const LEAST: usize = 8 * 1024;

/// A vector of `len` values. Each `chunk` of them is given to `fill`, all 0, with its number, by the thread that has just
/// cleared it: it is still in that thread's cache.
pub(crate) fn in_chunks<T: Real>(len: usize, chunk: usize, fill: impl Fn(usize, &mut [T]) + Sync) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    let chunks = values.spare_capacity_mut()[..len].par_chunks_mut(chunk.max(1)).enumerate();
    chunks.with_min_len(LEAST.div_ceil(chunk.max(1))).for_each(|(number, chunk)| {
        chunk.iter_mut().for_each(|value| {
            value.write(T::zero());
        });
        // SAFETY: every value has just been written.
        fill(number, unsafe { chunk.assume_init_mut() });
    });
    // SAFETY: the chunks are the first `len` values, and each has been written.
    unsafe { values.set_len(len) };
    values
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
}
