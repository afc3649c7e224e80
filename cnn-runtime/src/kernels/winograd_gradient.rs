//! The gradient of a 3×3 convolution's weights by Winograd's minimal filtering: a quarter of the products.
//!
//! The transpose of the [forward pass](super::winograd). The values of inputs at the points, times those of the output's gradients,
//! summed over all tiles, are the gradients of the weights' values at the points: for each point a product of matrices,
//! channels by tiles and tiles by filters.

use super::aligned::{Aligned, odd_lines};
use super::direct::Part;
use super::fill::{cleared, in_chunks};
use super::share::{for_each, threads};
use super::simd::arch;
use super::weighted::{Gradients, add_rows, undo_activation};
use super::winograd::Winograd;
use super::winograd_points::{Evenly, Images, POINTS, Points, SIDE, Square, TAPS, Tile, Vectors, each};
use super::winograd_products::Product;
use crate::spec::Activation;
use pulp::{Simd, WithSimd};
use std::cell::RefCell;
use std::ops::Range;

/// Tiles that are summed apart from others, so that long sums keep their digits.
const TILES: usize = 64;

/// Pixels, likewise, for the gradients of biases.
const PIXELS: usize = 256;

/// Values in all partial sums together, if there are more than the least two of them.
const PARTIAL_SUMS: usize = 1024 * 1024;

#[derive(Default)]
struct Scratch {
    inputs: Aligned<f32>,
    gradients: Aligned<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
    static SUMS: RefCell<Aligned<f32>> = RefCell::default();
}

/// What the sums of some images are added up from, and some channels of them.
struct Piece<'a> {
    xs: &'a [f32],
    /// The output of the activation that is undone, and its gradient.
    ys: &'a [f32],
    grad: &'a [f32],
    activation: Activation,
    parts: &'a [Part],
    channels: Range<usize>,
}

impl Winograd {
    /// The gradients of the weights, in the order of patches, and of the biases, from that of the output `ys` of an activation.
    /// Where it is linear, `ys` is not read.
    pub(super) fn weight_gradient(&self, xs: &[f32], ys: &[f32], grad: &[f32], activation: Activation) -> Gradients<f32> {
        let (depth, width) = (self.direct.depth, self.direct.width);
        let parts = self.direct.parts(TILES * SIDE * SIDE);
        let of_channel = TAPS * TAPS * width.next_multiple_of(super::gathered::lanes());
        // What is summed apart follows from the shapes alone; threads share the channels besides.
        let pieces = (PARTIAL_SUMS / (depth * of_channel)).clamp(2, 16);
        let pieces: Vec<&[Part]> = parts.chunks(parts.len().div_ceil(pieces).max(1)).collect();
        let of_thread = depth.div_ceil(threads().div_ceil(pieces.len().max(1)));
        let count = pieces.len() * depth * of_channel;
        let mut weights = Vec::with_capacity(count);
        let mut biases = vec![0.0; pieces.len() * width];
        let mut sums = Vec::new();
        let of_pieces =
            weights.spare_capacity_mut()[..count].chunks_exact_mut(depth * of_channel).zip(biases.chunks_exact_mut(width));
        for (parts, (weights, mut bias)) in pieces.iter().zip(of_pieces) {
            for (number, weights) in weights.chunks_mut(of_thread * of_channel).enumerate() {
                let first = number * of_thread;
                let channels = first..first + weights.len() / of_channel;
                // The first channels' sums have the bias with them.
                sums.push((Piece { xs, ys, grad, activation, parts, channels }, weights, std::mem::take(&mut bias)));
            }
        }
        for_each(sums, |(piece, weights, bias)| self.sum(piece, cleared(weights), bias));
        // SAFETY: the pieces' channels have all these values, and each has been cleared.
        unsafe { weights.set_len(count) };
        let mut bias = vec![0.0; width];
        add_rows(&mut bias, &biases);
        Gradients { input: Vec::new(), weight: self.in_order_of_patches(&weights), bias }
    }

    /// Writes the sums of the gradients of some channels' weights, for each channel a row for each tap, and adds those of the biases
    /// unless there is no room for them.
    fn sum(&self, piece: Piece, weights: &mut [f32], bias: &mut [f32]) {
        let Piece { xs, ys, grad, activation, parts, channels } = piece;
        let width = self.direct.width;
        let pitch = width.next_multiple_of(super::gathered::lanes());
        let (mut before, mut of_part) = (Vec::new(), vec![0.0; bias.len()]);
        SUMS.with_borrow_mut(|points| {
            let points = points.take(POINTS * POINTS * channels.len() * pitch);
            for (number, part) in parts.iter().enumerate() {
                let place = self.direct.place(part);
                let grad = match activation {
                    Activation::Linear => &grad[place],
                    activation => undo_activation(activation, &ys[place.clone()], &grad[place], &mut before),
                };
                if !bias.is_empty() {
                    for grad in grad.chunks(PIXELS * width) {
                        of_part.fill(0.0);
                        add_rows(&mut of_part, grad);
                        add_rows(bias, &of_part);
                    }
                }
                self.add_products([xs, grad], part, channels.clone(), number == 0, points);
            }
            arch().dispatch(Weights { points, pitch, weights });
        });
    }

    /// Adds the products of a part and some channels to the sums at the points, or writes them if they are the first.
    fn add_products(&self, [xs, grad]: [&[f32]; 2], part: &Part, channels: Range<usize>, is_first: bool, sums: &mut [f32]) {
        let (images, tiles) = (self.images(xs, part), self.tiles(part));
        let (depth, width) = (self.direct.depth, self.direct.width);
        SCRATCH.with_borrow_mut(|Scratch { inputs, gradients }| {
            let lanes = super::gathered::lanes();
            let inputs = inputs.take(POINTS * POINTS * odd_lines::<f32>(tiles.len() * depth.next_multiple_of(lanes)));
            let gradients = gradients.take(POINTS * POINTS * odd_lines::<f32>(tiles.len() * width.next_multiple_of(lanes)));
            arch().dispatch(Values { images, tiles: &tiles, inputs });
            let [height, columns] = self.direct.sizes();
            let sizes = [part.planes.end.min(height) - part.planes.start, columns];
            arch().dispatch(GradientValues { grad, tiles: &tiles, sizes, width, gradients });
            arch().dispatch(Products { inputs, gradients, tiles: tiles.len(), depth, width, channels, is_first, sums });
        });
    }

    /// The sums of all pieces, which have for each channel a row for each tap.
    fn in_order_of_patches(&self, pieces: &[f32]) -> Vec<f32> {
        /// Rows that a thread adds up at a time.
        const ROWS: usize = 32;
        let (depth, width) = (self.direct.depth, self.direct.width);
        let pitch = width.next_multiple_of(super::gathered::lanes());
        in_chunks(TAPS * TAPS * depth * width, ROWS * width, |number, rows| {
            for (row, sum) in (number * ROWS..).zip(rows.chunks_exact_mut(width)) {
                let at = (row % depth * TAPS * TAPS + row / depth) * pitch;
                pieces.chunks_exact(depth * TAPS * TAPS * pitch).for_each(|piece| add_rows(sum, &piece[at..at + width]));
            }
        })
    }
}

/// Writes the values of what tiles see at the points.
struct Values<'a> {
    images: Images<'a>,
    tiles: &'a [Tile],
    inputs: &'a mut [f32],
}

impl WithSimd for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.images.write_values_at_points(simd, self.tiles, self.inputs);
    }
}

/// Writes the values of the gradients of tiles' outputs at the points: for each point a row for each tile.
struct GradientValues<'a> {
    grad: &'a [f32],
    tiles: &'a [Tile],
    /// Lines and columns of an image, or of the part of one.
    sizes: [usize; 2],
    width: usize,
    gradients: &'a mut [f32],
}

impl WithSimd for GradientValues<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { grad, tiles, sizes, width, gradients: to } = self;
        let (lanes, count) = (S::F32_LANES, tiles.len());
        let pitch = width.next_multiple_of(lanes);
        for (number, tile) in tiles.iter().enumerate() {
            for column in (0..width).step_by(lanes) {
                let (lines, columns) = (sizes[0].saturating_sub(tile.at[0]), sizes[1] - tile.at[1]);
                let first = (tile.image * sizes[0] + tile.at[0]) * sizes[1] + tile.at[1];
                let gradients = match lines >= SIDE && columns >= SIDE && width - column >= lanes {
                    true => {
                        let square = Evenly::<S, SIDE>::new(&grad[first * width + column..], [sizes[1] * width, width]);
                        each!(4, y => each!(4, x => square.at(y, x)))
                    }
                    // Outputs that are not there have no gradient.
                    false => each!(4, y => each!(4, x => {
                        let pixel = first + y * sizes[1] + x;
                        match y < lines && x < columns {
                            true => Vectors(simd).load(&grad[pixel * width + column..(pixel + 1) * width]),
                            false => simd.splat_f32s(0.0),
                        }
                    })),
                };
                let to = &mut to[number * pitch + column..];
                Points::<S>::new(to, odd_lines::<f32>(count * pitch)).write(Vectors(simd).square_of_gradients(gradients));
            }
        }
    }
}

/// Adds the products of all tiles and some channels at the points.
struct Products<'a> {
    inputs: &'a [f32],
    gradients: &'a [f32],
    tiles: usize,
    depth: usize,
    width: usize,
    channels: Range<usize>,
    is_first: bool,
    sums: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { inputs, gradients, tiles, depth, width, channels, is_first, sums } = self;
        let [of_input, of_gradient] = [depth, width].map(|values| values.next_multiple_of(S::F32_LANES));
        let of_point = channels.len() * of_gradient;
        let product =
            Product { rows: channels.len(), columns: of_gradient, depth: tiles, left: [1, of_input], pitch: of_gradient };
        for (point, sums) in sums.chunks_exact_mut(of_point).enumerate() {
            let values = &inputs[point * odd_lines::<f32>(tiles * of_input)..][..tiles * of_input][channels.start..];
            let gradients = &gradients[point * odd_lines::<f32>(tiles * of_gradient)..][..tiles * of_gradient];
            match is_first {
                true => product.compute::<S, false>(simd, values, gradients, sums),
                false => product.compute::<S, true>(simd, values, gradients, sums),
            }
        }
    }
}

/// Writes the gradients of some channels' weights, for each channel a row for each tap, from those of their values at the points.
struct Weights<'a> {
    points: &'a [f32],
    pitch: usize,
    weights: &'a mut [f32],
}

impl WithSimd for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { points, pitch, weights } = self;
        let of_point = points.len() / (POINTS * POINTS);
        for (channel, weights) in weights.chunks_exact_mut(TAPS * TAPS * pitch).enumerate() {
            for column in (0..pitch).step_by(S::F32_LANES) {
                let at = channel * pitch + column;
                let square = Evenly::<S, POINTS>::new(&points[at..], [POINTS * of_point, of_point]);
                let points = each!(6, y => each!(6, x => square.at(y, x)));
                for (tap, found) in Vectors(simd).square_to_weights(points).iter().flatten().enumerate() {
                    S::as_mut_simd_f32s(&mut weights[tap * pitch + column..][..S::F32_LANES]).0[0] = *found;
                }
            }
        }
    }
}
