//! Convolution of many groups of few channels, depthwise convolution among them: filters lie side by side in the lanes of vectors, each
//! beside what it multiplies.
//!
//! A filter sees the channels of its group alone. Where these are several, or several filters see them, each pixel is *spread* first: into
//! as many rows as a group has channels, the first of which has, in the lane of each filter, the first channel of its group. Then every lane
//! multiplies what lies in it, [line by line](super::grouped_lines).

use super::fill::cleared;
use super::grouped_lines::{AddWeightGradients, Convolve, PassBack, Sight};
use super::patches::Geometry;
use super::pieces::sum_over_pieces;
use super::real::Real;
use super::share::{new_in_chunks, threads};
use super::simd::{arch, simd};
use super::turn::turn;
use super::weighted::{Ending, Gradients, add_rows, undo_activation};
use crate::spec::Activation;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Values of output that a thread computes at a time, and parts of a small output; several times as many, and fewer, where pixels have to be
/// spread, as two parts both spread what both see.
const BLOCK: usize = 16 * 1024;
const PARTS: usize = 16;

/// Values of output that are cleared before they are written: so many that they are not in a near cache, from where lines that are written
/// piece by piece would be read first.
const LARGE: usize = 64 * 1024;

/// A convolution whose groups are many.
pub(super) struct Grouped<const N: usize> {
    pub(super) geometry: Geometry<N>,
    pub(super) filters: usize,
    pub(super) groups: usize,
}

impl<const N: usize> Grouped<N> {
    /// Channels of a group.
    fn depth(&self) -> usize {
        self.geometry.channels / self.groups
    }

    /// Filters of a group.
    fn width(&self) -> usize {
        self.filters / self.groups
    }

    /// The weights, `F, C / groups, KH, KW` for images, with those of each filter in its lane.
    pub(super) fn weights<T: Real>(&self, weight: &[T]) -> Vec<T> {
        transpose(weight, self.filters)
    }

    /// The output for images `xs`, and weights as [`weights`](Self::weights) lays them out.
    pub(super) fn forward<T: Real>(&self, xs: &[T], weights: &[T], ending: Ending<T>) -> Vec<T> {
        let (geometry, filters) = (&self.geometry, self.filters);
        let sight = Sight { geometry: *geometry, rows: self.depth(), lanes: filters, skipped: 0 };
        let (pixels, image_len) = (geometry.pixels(), geometry.image_len());
        let len = geometry.batch * pixels * filters;
        // Parts enough that threads share small images evenly.
        let parts = if threads() == 1 { 1 } else { PARTS };
        let of_part = |most: usize, parts: usize| most.min(len.div_ceil(parts)) / filters;
        let rows = match self.is_spread() {
            true if N == 1 => pixels,
            true => of_part(4 * BLOCK, parts.div_ceil(4)),
            false => of_part(BLOCK, parts),
        };
        let rows = rows.max(1);
        let write = |spread: &mut Vec<T>, block: usize, ys: &mut [MaybeUninit<T>]| {
            if len > LARGE {
                cleared(ys);
            }
            let (start, count) = (block * rows, ys.len() / filters);
            let mut row = start;
            while row < start + count {
                let (image, first) = (row / pixels, row % pixels);
                let part = first..pixels.min(first + start + count - row);
                let of_image = &xs[image * image_len..(image + 1) * image_len];
                let to = (row - start) * filters;
                let to = to..to + part.len() * filters;
                row += part.len();
                let (sight, seen) = sight.of_rows(part.clone(), of_image, self.width(), spread);
                let bias = ending.bias.unwrap_or_default();
                arch().dispatch(Convolve { sight: &sight, xs: seen, weights, bias, rows: part, ys: &mut ys[to] });
            }
            // SAFETY: these rows are all there are, and each has been written.
            Ending { bias: None, ..ending }.finish(unsafe { ys.assume_init_mut() }, filters, start * filters);
        };
        // SAFETY: as above, every value of a chunk is written.
        unsafe { new_in_chunks(len, rows * filters, BLOCK / 2, write) }
    }

    /// Whether pixels do not lie as lanes see them.
    fn is_spread(&self) -> bool {
        self.depth() > 1 || self.width() > 1
    }

    /// The gradients, from that of the output `ys` of an activation. Where it is linear, `ys` is not read.
    pub(super) fn backward<T: Real>(
        &self,
        [xs, weight, ys, grad]: [&[T]; 4],
        activation: Activation,
        wants_input: bool,
    ) -> Gradients<T> {
        let (geometry, filters, channels) = (&self.geometry, self.filters, self.geometry.channels);
        let (image_len, output_len) = (geometry.image_len(), geometry.pixels() * filters);
        let sight = Sight { geometry: *geometry, rows: self.depth(), lanes: filters, skipped: 0 };
        let back = Back::new(self, weight);
        let lens = [weight.len(), filters];
        let sums = sum_over_pieces(geometry.batch, lens, wants_input.then_some(image_len), |images, mut input| {
            let (mut weight, mut bias) = (vec![T::zero(); lens[0]], vec![T::zero(); lens[1]]);
            let (mut before, mut spread) = (Vec::new(), Vec::new());
            for (number, image) in images.enumerate() {
                let output = image * output_len..(image + 1) * output_len;
                let ys = ys.get(output.clone()).unwrap_or_default();
                let grad = undo_activation(activation, ys, &grad[output], &mut before);
                add_rows(&mut bias, grad);
                let of_image = &xs[image * image_len..(image + 1) * image_len];
                let (sight, seen) = sight.of_rows(0..geometry.pixels(), of_image, self.width(), &mut spread);
                arch().dispatch(AddWeightGradients { sight: &sight, xs: seen, grad, weight: &mut weight });
                if let Some(input) = &mut input {
                    let grad = spread_pixels(grad, [channels, self.width(), self.depth()], &mut spread);
                    back.write(grad, &mut input[number * image_len..(number + 1) * image_len]);
                }
            }
            (weight, bias)
        });
        Gradients { weight: transpose(&sums.weight, weight.len() / filters), ..sums }
    }
}

/// The way of gradients back to the images, in the lanes of channels.
struct Back<T, const N: usize> {
    sight: Sight<N>,
    weights: Vec<T>,
    /// Whether the gradient is a convolution of the output's.
    convolves: bool,
}

impl<T: Real, const N: usize> Back<T, N> {
    fn new(grouped: &Grouped<N>, weight: &[T]) -> Self {
        let (geometry, taps, depth, width) = (grouped.geometry, grouped.geometry.taps(), grouped.depth(), grouped.width());
        let reach: [usize; N] = std::array::from_fn(|axis| (geometry.size[axis] - 1) * geometry.dilation[axis]);
        let convolves = geometry.strides == [1; N] && (0..N).all(|axis| geometry.before[axis] <= reach[axis]);
        let lanes = geometry.channels;
        let mut weights = Vec::with_capacity(weight.len());
        for row in 0..width {
            for tap in 0..taps {
                let tap = if convolves { taps - 1 - tap } else { tap };
                let of_lane = |lane: usize| weight[((lane / depth * width + row) * depth + lane % depth) * taps + tap];
                weights.extend((0..lanes).map(of_lane));
            }
        }
        let turned = Geometry {
            input: geometry.output,
            output: geometry.input,
            before: std::array::from_fn(|axis| reach[axis].wrapping_sub(geometry.before[axis])),
            ..geometry
        };
        let geometry = if convolves { turned } else { geometry };
        Self { sight: Sight { geometry, rows: width, lanes, skipped: 0 }, weights, convolves }
    }

    /// Writes the gradient of an image, whose values are 0, from the output's, spread.
    fn write(&self, grad: &[T], image: &mut [T]) {
        let (sight, weights) = (&self.sight, &self.weights[..]);
        match self.convolves {
            true => {
                let (rows, ys) = (0..sight.geometry.pixels(), std::ptr::from_mut(image) as *mut [MaybeUninit<T>]);
                // SAFETY: the image is borrowed exclusively, and nothing but numbers is written there.
                arch().dispatch(Convolve { sight, xs: grad, weights, bias: &[], rows, ys: unsafe { &mut *ys } });
            }
            false => arch().dispatch(PassBack { sight, grad, weights, image }),
        }
    }
}

impl<const N: usize> Sight<N> {
    /// How lanes see what some output pixels of `image` do, and this, in `scratch` unless it lies in the image as they see it. Each number
    /// of the image is in as many lanes as `width` says.
    fn of_rows<'a, T: Real>(self, rows: Range<usize>, image: &'a [T], width: usize, scratch: &'a mut Vec<T>) -> (Self, &'a [T]) {
        if self.rows == 1 && width == 1 {
            return (self, image);
        }
        let geometry = &self.geometry;
        let [first, last] =
            [rows.start, rows.end.max(rows.start + 1) - 1].map(|row| geometry.position(row)[0] * geometry.strides[0]);
        let reach = (geometry.size[0] - 1) * geometry.dilation[0];
        let start = first.saturating_sub(geometry.before[0]).min(geometry.input[0]);
        let end = (last + reach + 1).saturating_sub(geometry.before[0]).clamp(start, geometry.input[0]);
        // Lines are whole.
        let (start, end) = if N == 1 { (0, geometry.input[0]) } else { (start, end) };
        let cells = geometry.input[1..].iter().product::<usize>();
        let of_cells = &image[start * cells * geometry.channels..end * cells * geometry.channels];
        let spread = spread_pixels(of_cells, [self.lanes, self.rows, width], scratch);
        (Self { skipped: start * cells, ..self }, spread)
    }
}

/// The matrix of `rows` rows that fills `values`, transposed.
fn transpose<T: Real>(values: &[T], rows: usize) -> Vec<T> {
    let columns = values.len() / rows;
    let mut turned = vec![T::zero(); values.len()];
    turn(values, [rows, columns], [columns, rows], &mut turned);
    turned
}

/// Pixels as so many lanes see them: each number of a group of `depth` in a row of its own, in the lanes of `width` that follow each other.
fn spread_pixels<'a, T: Real>(pixels: &'a [T], [lanes, depth, width]: [usize; 3], scratch: &'a mut Vec<T>) -> &'a [T] {
    if depth == 1 && width == 1 {
        return pixels;
    }
    let len = pixels.len() * width;
    scratch.resize(scratch.len().max(len), T::zero());
    spread(pixels, lanes, depth, width, &mut scratch[..len]);
    &scratch[..len]
}

simd! {
    fn spread<T: Real>(pixels: &[T], lanes: usize, depth: usize, width: usize, spread: &mut [T]) {
        for (pixel, spread) in pixels.chunks_exact(lanes / width * depth).zip(spread.chunks_exact_mut(lanes * depth)) {
            for (number, row) in spread.chunks_exact_mut(lanes).enumerate() {
                let numbers = pixel[number..].iter().step_by(depth);
                match width {
                    1 => repeat::<T, 1>(numbers, row),
                    2 => repeat::<T, 2>(numbers, row),
                    4 => repeat::<T, 4>(numbers, row),
                    8 => repeat::<T, 8>(numbers, row),
                    _ => row.chunks_exact_mut(width).zip(numbers).for_each(|(row, number)| row.fill(*number)),
                }
            }
        }
    }
}

/// Writes each number so many times.
#[inline(always)]
fn repeat<'a, T: Real, const TIMES: usize>(numbers: impl Iterator<Item = &'a T>, row: &mut [T]) {
    for (row, number) in row.as_chunks_mut::<TIMES>().0.iter_mut().zip(numbers) {
        *row = [*number; TIMES];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Precision;
    use crate::kernels::conv::Conv;
    use crate::spec::{Conv1D, Conv2D, Conv3D, Convolution, Padding};
    use crate::testing::numbers;

    /// That the passes of a convolution are those of products of patches.
    fn agrees<const N: usize>(spec: Convolution<N>, dims: &[usize], activation: Activation) {
        let geometry = Geometry::new("test", dims, &spec.window).unwrap();
        let Convolution { filters, groups, .. } = spec;
        let conv = Conv { geometry, filters, groups, ends_in: activation, precision: Precision::F32 };
        let grouped = Grouped { geometry, filters, groups };
        let len = geometry.batch * geometry.pixels() * filters;
        let (xs, weight) = (numbers::<f64>(dims.iter().product(), 1), numbers::<f64>(conv.patch_len() * filters, 2));
        let (bias, added, grad) = (numbers::<f64>(filters, 3), numbers::<f64>(len, 4), numbers::<f64>(len, 5));
        let ending = Ending { bias: Some(&bias), added: Some(&added), activation, ..Ending::default() };
        let ys = conv.forward_by_patches(&xs, &conv.pack(&weight), ending);
        let expected = conv.backward_by_patches(&xs, &weight, &ys, &grad, true);
        let found = grouped.backward([&xs, &weight, &ys, &grad], activation, true);
        let alone = grouped.backward([&xs, &weight, &ys, &grad], activation, false);
        assert_eq!((alone.input.len(), &alone.weight, &alone.bias), (0, &found.weight, &found.bias));
        let output = grouped.forward(&xs, &grouped.weights(&weight), ending);
        for (found, expected, what) in [
            (output, ys, "output"),
            (found.input, expected.input, "input"),
            (found.weight, expected.weight, "weight"),
            (found.bias, expected.bias, "bias"),
        ] {
            assert_eq!(found.len(), expected.len(), "{what} of {spec:?}");
            let distance = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            let largest = expected.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
            assert!(distance < 1e-12 * largest, "{what} of {spec:?}, {dims:?}: {distance} off");
        }
    }

    #[test]
    fn passes_are_those_of_patches() {
        for (groups, depth, width) in [(1, 1, 1), (16, 1, 1), (21, 1, 1), (7, 1, 3), (8, 4, 4), (5, 3, 2), (3, 2, 8), (2, 6, 5)] {
            for (size, strides, dilation) in [
                ([3, 3], [1, 1], [1, 1]),
                ([3, 3], [2, 2], [1, 1]),
                ([5, 5], [1, 1], [1, 1]),
                ([2, 5], [1, 2], [1, 1]),
                ([7, 7], [1, 1], [1, 1]),
                ([1, 1], [1, 1], [1, 1]),
                ([3, 2], [1, 3], [2, 1]),
                ([3, 3], [1, 1], [2, 2]),
                ([3, 3], [2, 1], [1, 4]),
            ] {
                for padding in [Padding::Same, Padding::Full, Padding::Explicit([[2, 0], [9, 1]]), Padding::Valid] {
                    let conv = Conv2D::new(groups * width, size).strides(strides).dilation_rate(dilation).padding(padding);
                    agrees(conv.groups(groups).convolution(), &[3, 9, 12, groups * depth], Activation::Relu);
                }
            }
        }
    }

    #[test]
    fn parts_of_images_of_any_number_of_axes_are_their_parts() {
        let conv = Conv2D::new(24, [3, 3]).padding(Padding::Same);
        agrees(conv.groups(24).convolution(), &[2, 61, 37, 24], Activation::Tanh);
        agrees(conv.groups(6).convolution(), &[2, 61, 77, 24], Activation::Linear);
        agrees(conv.strides([2, 2]).groups(6).convolution(), &[1, 90, 151, 24], Activation::Linear);
        agrees(Conv1D::new(16, [5]).padding(Padding::Causal).groups(4).convolution(), &[2, 9_000, 8], Activation::Relu);
        agrees(Conv1D::new(16, [4]).strides([3]).groups(8).convolution(), &[1, 23, 16], Activation::Relu);
        let volumes = Conv3D::new(12, [3, 1, 3]).padding(Padding::Same).groups(3);
        agrees(volumes.convolution(), &[2, 5, 4, 7, 12], Activation::Relu);
        agrees(volumes.strides([2, 1, 2]).convolution(), &[1, 40, 30, 21, 6], Activation::Relu);
        agrees(Conv2D::new(4, [9, 9]).padding(Padding::Same).groups(4).convolution(), &[2, 2, 1, 4], Activation::Relu);
    }
}
