//! Sums over a batch that threads share, with the same bits whatever the number of threads.

use super::fill::{cleared, in_chunks};
use super::real::Real;
use super::share::map;
use super::weighted::Gradients;
use std::ops::Range;

/// Values in all partial sums of a weight gradient together.
const PARTIAL_SUMS: usize = 4 * 1024 * 1024;

/// Sums the weight and bias gradients, of these `lens`, that `piece` gives for some images of a batch at a time, or for some
/// parts of them.
///
/// The batch is cut into pieces by its size alone; each sums gradients of its own, and these are added in order. If the
/// gradient of the input is wanted, `batch` counts images, `image_len` is that of one, and each piece writes that of its
/// images.
pub(super) fn sum_over_pieces<T: Real>(
    batch: usize,
    lens: [usize; 2],
    image_len: Option<usize>,
    piece: impl Fn(Range<usize>, Option<&mut [T]>) -> (Vec<T>, Vec<T>) + Sync,
) -> Gradients<T> {
    let pieces = (PARTIAL_SUMS / lens[0].max(1)).clamp(4, 16);
    let images = batch.div_ceil(pieces).max(1);
    let range = |number: usize| number * images..batch.min((number + 1) * images);
    let len = batch * image_len.unwrap_or(0);
    let mut input = Vec::with_capacity(len);
    let sums: Vec<(Vec<T>, Vec<T>)> = match image_len {
        Some(len) => {
            let inputs = input.spare_capacity_mut()[..batch * len].chunks_mut((images * len).max(1)).enumerate();
            map(inputs.collect(), |(number, input)| piece(range(number), Some(cleared(input))))
        }
        None => map((0..batch.div_ceil(images)).collect(), |number| piece(range(number), None)),
    };
    // SAFETY: the chunks are all of the input's values, if there are any, and each has been cleared.
    unsafe { input.set_len(len) };
    let sums = match <[_; 1]>::try_from(sums) {
        Ok([(weight, bias)]) => return Gradients { input, weight, bias },
        Err(sums) => sums,
    };
    let add_up = |totals: &mut [T], parts: &[T]| totals.iter_mut().zip(parts).for_each(|(total, part)| *total += *part);
    // Threads share the weights, not the pieces: every sum is taken in the same order.
    const CHUNK: usize = 4 * 1024;
    let weight = in_chunks(lens[0], CHUNK, |number, weight| {
        sums.iter().for_each(|(weights, _)| add_up(weight, &weights[number * CHUNK..]));
    });
    let mut bias = vec![T::zero(); lens[1]];
    sums.iter().for_each(|(_, biases)| add_up(&mut bias, biases));
    Gradients { input, weight, bias }
}
