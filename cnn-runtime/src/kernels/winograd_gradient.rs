//! The gradient of a 3×3 convolution's weights by Winograd's minimal filtering: a quarter of the products.
//!
//! The transpose of the [forward pass](super::winograd). The values of inputs at the points, times those of the output's gradients,
//! summed over all tiles, are the gradients of the weights' values at the points: for each point a product of matrices,
//! channels by tiles and tiles by filters.

use super::aligned::Aligned;
use super::direct::{Pairing, Part};
use super::gathered::{Left, Right};
use super::share::{for_each, threads};
use super::simd::arch;
use super::weighted::{Gradients, add_rows, undo_activation};
use super::winograd::{POINTS, SIDE, TAPS, Tile, Vectors, Winograd, apart, each, store_points, values_of_inputs};
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
}

/// Some images' sums of the gradients of the biases and, at some lines of points, of the weights' values.
struct Sums {
    parts: Range<usize>,
    lines: Range<usize>,
    points: Vec<f32>,
    bias: Vec<f32>,
}

impl Winograd {
    /// The gradients of the weights, in the order of patches, and of the biases, from that of the output `ys` of an activation.
    /// Where it is linear, `ys` is not read.
    pub(super) fn weight_gradient(&self, xs: &[f32], ys: &[f32], grad: &[f32], activation: Activation) -> Gradients<f32> {
        let (depth, width) = (self.direct.depth, self.direct.width);
        let parts = self.direct.parts(TILES * SIDE * SIDE);
        let pitch = width.next_multiple_of(super::gathered::lanes());
        let of_point = depth * pitch;
        // What is summed apart follows from the shapes alone; threads share the points besides.
        let pieces = (PARTIAL_SUMS / (POINTS * POINTS * of_point)).clamp(2, 16);
        let of_piece = parts.len().div_ceil(pieces).max(1);
        let of_thread = POINTS.div_ceil(threads().div_ceil(pieces));
        let mut sums: Vec<Sums> = Vec::new();
        for first in (0..parts.len()).step_by(of_piece) {
            let parts = first..parts.len().min(first + of_piece);
            let lines = (0..POINTS).step_by(of_thread).map(|first| first..POINTS.min(first + of_thread));
            sums.extend(lines.map(|lines| Sums { parts: parts.clone(), lines, points: Vec::new(), bias: Vec::new() }));
        }
        for_each(sums.iter_mut().collect(), |sums| {
            sums.points = vec![0.0; sums.lines.len() * POINTS * of_point];
            sums.bias = vec![0.0; width];
            let (mut before, mut of_part) = (Vec::new(), vec![0.0; width]);
            for part in &parts[sums.parts.clone()] {
                let place = self.direct.place(part);
                let grad = match activation {
                    Activation::Linear => &grad[place],
                    activation => undo_activation(activation, &ys[place.clone()], &grad[place], &mut before),
                };
                if sums.lines.start == 0 {
                    for grad in grad.chunks(PIXELS * width) {
                        of_part.fill(0.0);
                        add_rows(&mut of_part, grad);
                        add_rows(&mut sums.bias, &of_part);
                    }
                }
                self.add_products(xs, part, grad, sums.lines.clone(), &mut sums.points);
            }
        });
        let mut bias = vec![0.0; width];
        sums.iter().filter(|sums| sums.lines.start == 0).for_each(|sums| add_rows(&mut bias, &sums.bias));
        let mut rows = vec![0.0; depth * TAPS * TAPS * pitch];
        for_each(rows.chunks_exact_mut(TAPS * TAPS * pitch).enumerate().collect(), |(channel, weights)| {
            arch().dispatch(Weights { sums: &sums, first: channel * pitch, of_point, pitch, weights });
        });
        let mut weight = vec![0.0; TAPS * TAPS * depth * width];
        for (number, row) in rows.chunks_exact(pitch).enumerate() {
            let (channel, tap) = (number / (TAPS * TAPS), number % (TAPS * TAPS));
            weight[(tap * depth + channel) * width..][..width].copy_from_slice(&row[..width]);
        }
        Gradients { input: Vec::new(), weight, bias }
    }

    /// Adds the products of a part at some lines of points.
    fn add_products(&self, xs: &[f32], part: &Part, grad: &[f32], lines: Range<usize>, sums: &mut [f32]) {
        self.direct.see(xs, part, Pairing::Channels, |seen| {
            let tiles = self.tiles(part, &seen);
            let (depth, width) = (self.direct.depth, self.direct.width);
            SCRATCH.with_borrow_mut(|Scratch { inputs, gradients }| {
                let lanes = super::gathered::lanes();
                let inputs = inputs.take(POINTS * POINTS * apart(tiles.len() * depth.next_multiple_of(lanes)));
                let gradients = gradients.take(POINTS * POINTS * apart(tiles.len() * width.next_multiple_of(lanes)));
                arch().dispatch(Values { seen, tiles: &tiles, depth, inputs });
                let [height, columns] = self.direct.sizes();
                let sizes = [part.lines.end.min(height) - part.lines.start, columns];
                arch().dispatch(GradientValues { grad, tiles: &tiles, sizes, width, gradients });
                arch().dispatch(Products { inputs, gradients, tiles: tiles.len(), depth, width, lines, sums });
            });
        });
    }
}

/// Writes the values of what tiles see at the points.
struct Values<'a> {
    seen: super::direct::Seen<'a, f32>,
    tiles: &'a [Tile],
    depth: usize,
    inputs: &'a mut [f32],
}

impl WithSimd for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        values_of_inputs(simd, &self.seen, self.tiles, self.depth, self.inputs);
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
                // Outputs that are not there have no gradient.
                let gradients = each!(4, y => each!(4, x => {
                    let pixel = first + y * sizes[1] + x;
                    match y < lines && x < columns {
                        true => Vectors(simd).load(&grad[pixel * width + column..(pixel + 1) * width]),
                        false => simd.splat_f32s(0.0),
                    }
                }));
                let to = &mut to[number * pitch + column..];
                store_points::<S>(Vectors(simd).square_of_gradients(gradients), apart(count * pitch), to);
            }
        }
    }
}

/// Adds the products of all tiles at some lines of points to the sums.
struct Products<'a> {
    inputs: &'a [f32],
    gradients: &'a [f32],
    tiles: usize,
    depth: usize,
    width: usize,
    lines: Range<usize>,
    sums: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { inputs, gradients, tiles, depth, width, lines, sums } = self;
        let [of_input, of_gradient] = [depth, width].map(|values| values.next_multiple_of(S::F32_LANES));
        let rows: Vec<[usize; 2]> = (0..depth).map(|channel| [channel, channel * of_gradient]).collect();
        let steps: Vec<usize> = (0..tiles).map(|tile| tile * of_input).collect();
        let points = lines.start * POINTS..lines.end * POINTS;
        for (point, sums) in points.zip(sums.chunks_exact_mut(depth * of_gradient)) {
            let values = &inputs[point * apart(tiles * of_input)..][..tiles * of_input];
            let gradients = &gradients[point * apart(tiles * of_gradient)..][..tiles * of_gradient];
            let right = Right::row_by_row(gradients, of_gradient).expect("the columns fill vectors");
            Left { values, rows: &rows, steps: &steps }.add_with(simd, right, sums);
        }
    }
}

/// Writes the gradients of one channel's weights, tap by tap.
struct Weights<'a> {
    sums: &'a [Sums],
    /// Where the channel's values lie among those of a point.
    first: usize,
    of_point: usize,
    pitch: usize,
    weights: &'a mut [f32],
}

impl WithSimd for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sums, first, of_point, pitch, weights } = self;
        let lanes = S::F32_LANES;
        for column in (0..pitch).step_by(lanes) {
            let points = each!(6, y => each!(6, x => {
                let mut point = simd.splat_f32s(0.0);
                for sums in sums.iter().filter(|sums| sums.lines.contains(&y)) {
                    let at = ((y - sums.lines.start) * POINTS + x) * of_point + first + column;
                    point = simd.add_f32s(point, Vectors(simd).load(&sums.points[at..]));
                }
                point
            }));
            let found = Vectors(simd).square_to_weights(points);
            for (tap, found) in found.iter().flatten().enumerate() {
                S::as_mut_simd_f32s(&mut weights[tap * pitch + column..][..lanes]).0[0] = *found;
            }
        }
    }
}
