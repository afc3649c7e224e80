//! 3×3 convolutions without strides by Winograd's minimal filtering, F(4×4, 3×3): a quarter of the products.
//!
//! [Lavin and Gray 2016](https://arxiv.org/abs/1509.09308). Four outputs of a convolution with three weights are four coefficients of a
//! product of polynomials, which is known from its values at six points: those of either factor's values. In two dimensions,
//! a *tile* of 4×4 outputs takes 36 values of the 6×6 inputs it sees, which are multiplied with 36 of the weights, once for
//! each channel, instead of 144 products. For each of the 36 *points* that is a product of matrices, tiles by channels and
//! channels by filters.
//!
//! The points are 0, ±2/3, ±3/2 and infinity, whose sums lose fewer digits than those of the customary 0, ±1, ±2
//! ([Alam et al. 2022](https://doi.org/10.1145/3524069)): about one bit against summing the 9 products of each channel. What is not
//! finite in an input reaches all outputs of the tiles that see it.

use super::aligned::{Aligned, odd_lines};
use super::direct::{Direct, Part};
use super::gathered;
use super::patches::Geometry;
use super::prefetch::Ahead;
use super::share::{for_each, threads};
use super::simd::arch;
use super::weighted::Ending;
use super::winograd_points::{Evenly, Images, POINTS, Points, SIDE, Square, TAPS, Tile, Vectors, each};
use super::winograd_products::Product;
use crate::Precision;
use crate::spec::Activation;
use pulp::{Simd, WithSimd};
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::Range;

/// A 3×3 convolution without strides, or the gradient of its input, as this kernel computes it.
pub(super) struct Winograd {
    pub(super) direct: Direct,
    /// Lines of tiles of an image, and tiles along a line.
    tiles: [usize; 2],
}

#[derive(Default)]
struct Scratch {
    inputs: Aligned<f32>,
    outputs: Aligned<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The values of weights at the points: for each strip of columns and each point a matrix of a row for each channel.
pub(super) struct Weights {
    values: Aligned<f32>,
    depth: usize,
    columns: usize,
}

impl Winograd {
    /// The output of a convolution, if it is one that this kernel computes with clearly fewer products.
    pub(super) fn of_output<const N: usize>(geometry: &Geometry<N>, filters: usize, groups: usize) -> Option<Self> {
        Self::new(geometry, geometry.output, filters, groups, |geometry| Direct::of_output(geometry, filters, 1, Precision::F32))
    }

    /// The gradient of a convolution's input, likewise.
    pub(super) fn of_input<const N: usize>(geometry: &Geometry<N>, filters: usize, groups: usize) -> Option<Self> {
        Self::new(geometry, geometry.input, filters, groups, |geometry| Direct::of_input(geometry, filters, 1, Precision::F32))
    }

    fn new<const N: usize>(
        geometry: &Geometry<N>,
        computed: [usize; N],
        filters: usize,
        groups: usize,
        direct: impl Fn(&Geometry<N>) -> Option<Direct>,
    ) -> Option<Self> {
        const LEAST_CHANNELS: usize = 8;
        /// Products of a convolution for each of this kernel's.
        const GAIN: usize = 2;
        /// Values of weights at the points: 16 MiB.
        const LARGE: usize = 4 * 1024 * 1024;
        const FEW_TILES: usize = 8;
        let [height, width] = computed[..].try_into().ok()?;
        let Geometry { channels, size, strides, dilation, .. } = geometry;
        let is_3x3 = size[..] == [TAPS; 2] && strides[..] == [1; 2] && dilation[..] == [1; 2];
        let tiles = [height, width].map(|size: usize| size.div_ceil(SIDE));
        let pays = height * width > 0 && height * width * TAPS * TAPS >= GAIN * tiles[0] * tiles[1] * POINTS * POINTS;
        // Weights that no cache holds are four times as many to read here. Of one image, so that batches are not computed in two ways.
        let are_few = POINTS * POINTS * channels * filters > LARGE && tiles[0] * tiles[1] < FEW_TILES;
        if groups > 1 || !is_3x3 || !pays || are_few || filters.min(*channels) < LEAST_CHANNELS {
            return None;
        }
        Some(Self { direct: direct(geometry)?.in_tiles(SIDE), tiles })
    }

    /// Whether it takes less time in training than all products of `f32` on tile registers, six of `bf16` for each, as measured on an Intel
    /// Xeon with AMX. Weights at the points are four times as many to transform and to read: images need tiles to share them.
    pub(super) fn outdoes_tile_registers(&self) -> bool {
        const MANY_TILES: usize = 16;
        const LEAST_CHANNELS: usize = 16;
        self.direct.depth.min(self.direct.width) >= LEAST_CHANNELS && self.tiles[0] * self.tiles[1] >= MANY_TILES
    }

    /// The weights, `F, C, 3, 3`, at the points.
    pub(super) fn weights(&self, weight: &[f32]) -> Weights {
        let Some(strips) = self.direct.strips::<f32>(weight).next() else { unreachable!("without strides there is one phase") };
        let (depth, columns, width) = (self.direct.depth, self.direct.width, self.strip());
        let (of_strip, packed) = (POINTS * POINTS * depth * width, strips.right());
        let (of_taps, is_turned) = (TAPS * TAPS * depth * gathered::strip(), self.direct.is_gradient);
        let values = Aligned::in_pieces([columns.div_ceil(width) * of_strip, of_strip, of_strip], |strip, _, to| {
            let taps = &packed.values()[strip * of_taps..(strip + 1) * of_taps];
            arch().dispatch(Transform { taps, to, columns: [gathered::strip(), width], is_turned });
        });
        Weights { values, depth, columns }
    }

    /// What is computed from `source`, for all images.
    ///
    /// # Panics
    /// If the weights are not of this convolution.
    pub(super) fn compute(&self, source: &[f32], weights: &Weights, ending: Ending<f32>) -> Vec<f32> {
        assert_eq!([weights.depth, weights.columns], [self.direct.depth, self.direct.width], "weights of each channel");
        // So many tiles that the values of their inputs at the points stay in a core's second-level cache.
        let tiles = (2048 / self.direct.depth).clamp(16, 64);
        let all = 0..self.direct.width.div_ceil(self.strip());
        // Tiles read what lies apart: where two tensors are to be read, this takes longer than another look at what has been written.
        let is_by_tile = Ending { added: None, ..ending }.is_plain();
        let write = |part: &Part, strips: Range<usize>, ys: Place| {
            SCRATCH.with_borrow_mut(|scratch| {
                let (images, tiles) = (self.images(source, part), self.tiles(part));
                let ending = match is_by_tile {
                    true => Ending { added: ending.added.map(|added| &added[self.direct.place(part)]), ..ending },
                    false => Ending { bias: ending.bias, ..Ending::default() },
                };
                let of_part = self.direct.source_of(part);
                let ahead = &source[of_part.end..source.len().min(of_part.end + of_part.len())];
                let ahead = Ahead::new(ahead, POINTS * POINTS * strips.len());
                arch().dispatch(Outputs { winograd: self, images, tiles, part, weights, strips, ending, scratch, ys, ahead });
            });
        };
        let finish = |ys: &mut [f32], first: usize| {
            if !is_by_tile {
                Ending { bias: None, ..ending }.finish(ys, self.direct.width, first);
            }
        };
        if let Some(part) = self.single_part(all.len()) {
            let (len, count, threads) = (self.direct.place(&part).len(), all.len(), threads());
            let mut ys = Vec::with_capacity(len);
            let place = Place::new(&mut ys.spare_capacity_mut()[..len]);
            let shares = (0..threads).map(|thread| count * thread / threads..count * (thread + 1) / threads);
            for_each(shares.collect(), |strips| write(&part, strips, place));
            // SAFETY: every pixel is in one tile, and the strips of all threads have all columns.
            unsafe { ys.set_len(len) };
            finish(&mut ys, 0);
            return ys;
        }
        // SAFETY: every pixel of a part is in one of its tiles, and all columns of those in each are written.
        unsafe {
            self.direct.new_by_parts(tiles * SIDE * SIDE, |part, ys| {
                write(part, all.clone(), Place::new(ys));
                finish(ys.assume_init_mut(), self.direct.place(part).start);
            })
        }
    }

    /// The columns of a strip, which is no wider than they are.
    fn strip(&self) -> usize {
        gathered::strip().min(self.direct.width.next_multiple_of(gathered::lanes()))
    }

    /// All there is as one part, if threads had better share its columns: few tiles take less time to multiply than the weights to read, and
    /// who computes some of them reads all weights.
    fn single_part(&self, strips: usize) -> Option<Part> {
        /// Tiles of a thread below which that is so.
        const FEW: usize = gathered::ROWS / 2;
        let (part, threads) = (self.direct.parts(usize::MAX).pop()?, threads());
        let tiles = part.images.len() * self.tiles[1] * part.planes.len() / SIDE;
        (threads > 1 && tiles < threads * FEW && strips >= threads).then_some(part)
    }

    /// The images of a part.
    pub(super) fn images<'a>(&self, source: &'a [f32], part: &Part) -> Images<'a> {
        let (sizes, depth) = (self.direct.source_sizes(), self.direct.depth);
        let len = sizes[0] * sizes[1] * depth;
        Images { values: &source[part.images.start * len..part.images.end * len], sizes, depth }
    }

    /// The tiles of a part, of its first image and those that follow.
    pub(super) fn tiles(&self, part: &Part) -> Vec<Tile> {
        let count = part.images.len() * part.planes.len().div_ceil(SIDE) * self.tiles[1];
        let (mut tiles, [line, column]) = (Vec::with_capacity(count), self.direct.sees_first());
        for image in 0..part.images.len() {
            for y in (0..part.planes.len()).step_by(SIDE) {
                for x in (0..self.tiles[1] * SIDE).step_by(SIDE) {
                    let sees = [line + (part.planes.start + y) as isize, column + x as isize];
                    tiles.push(Tile { image, sees, at: [y, x] });
                }
            }
        }
        tiles
    }
}

/// Writes the values of a strip of weights at the points.
struct Transform<'a> {
    /// For each tap a row for each channel.
    taps: &'a [f32],
    to: &'a mut [f32],
    /// Those of a row, as they come and as they go.
    columns: [usize; 2],
    is_turned: bool,
}

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { taps, to, columns: [from, width], is_turned } = self;
        let (of_tap, of_point) = (taps.len() / (TAPS * TAPS), to.len() / (POINTS * POINTS));
        let tap = |y: usize, x: usize| match is_turned {
            false => y * TAPS + x,
            true => (TAPS - 1 - y) * TAPS + TAPS - 1 - x,
        };
        for channel in 0..of_tap / from {
            for column in (0..width).step_by(S::F32_LANES) {
                let at = channel * from + column;
                let weights = each!(3, y => each!(3, x => Vectors(simd).load(&taps[tap(y, x) * of_tap + at..])));
                let to = Points::<S>::new(&mut to[channel * width + column..], of_point);
                to.write(Vectors(simd).square_of_weights(weights));
            }
        }
    }
}

/// Where the outputs of a part go, of which each thread may write some columns.
#[derive(Clone, Copy)]
struct Place {
    values: *mut MaybeUninit<f32>,
    len: usize,
}

// SAFETY: it is used where other threads write other columns alone.
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

impl Place {
    fn new(values: &mut [MaybeUninit<f32>]) -> Self {
        Self { values: values.as_mut_ptr(), len: values.len() }
    }

    /// Some values.
    ///
    /// # Safety
    /// They have to be there still, and nobody else may read or write them meanwhile.
    #[inline(always)]
    unsafe fn values<'a>(self, range: Range<usize>) -> &'a mut [MaybeUninit<f32>] {
        assert!(range.start <= range.end && range.end <= self.len, "values of an output");
        // SAFETY: they are within what it was made of, and the caller has them for itself.
        unsafe { std::slice::from_raw_parts_mut(self.values.add(range.start), range.len()) }
    }

    /// Writes a square of vectors that starts at value `first`: `line` values from line to line, `next` from one to the next.
    ///
    /// # Safety
    /// As of [`values`](Self::values).
    #[inline(always)]
    unsafe fn write_square<S: Simd>(self, square: [[S::f32s; SIDE]; SIDE], first: usize, [line, next]: [usize; 2]) {
        assert!(first + (SIDE - 1) * (line + next) + S::F32_LANES <= self.len, "room for the last of a square of vectors");
        let first = self.values.cast::<f32>().wrapping_add(first);
        for (y, vectors) in square.into_iter().enumerate() {
            for (x, vector) in vectors.into_iter().enumerate() {
                // SAFETY: none is further than the last, and the caller has them for itself.
                unsafe { first.add(y * line + x * next).cast::<S::f32s>().write_unaligned(vector) };
            }
        }
    }
}

/// Computes the outputs of some tiles.
struct Outputs<'a> {
    winograd: &'a Winograd,
    images: Images<'a>,
    tiles: Vec<Tile>,
    part: &'a Part,
    weights: &'a Weights,
    /// The strips of columns to compute.
    strips: Range<usize>,
    /// What is to become of the outputs: what is added is that to the part's, and only a rectifier follows.
    ending: Ending<'a, f32>,
    scratch: &'a mut Scratch,
    ys: Place,
    /// What the next part is computed from.
    ahead: Ahead<'a>,
}

impl WithSimd for Outputs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { winograd, images, tiles, part, weights, strips, ending, scratch, ys, mut ahead } = self;
        let Ending { bias, added, activation, .. } = ending;
        let (count, depth, width, lanes) = (tiles.len(), winograd.direct.depth, winograd.direct.width, S::F32_LANES);
        let (pitch, strip) = (depth.next_multiple_of(lanes), winograd.strip());
        let (of_inputs, of_outputs) = (odd_lines::<f32>(count * pitch), odd_lines::<f32>(count * strip));
        let inputs = scratch.inputs.take(POINTS * POINTS * of_inputs);
        images.write_values_at_points(simd, &tiles, inputs);
        let outputs = scratch.outputs.take(POINTS * POINTS * of_outputs);
        let stored = weights.values.first(weights.columns.div_ceil(strip) * POINTS * POINTS * weights.depth * strip);
        let sizes = winograd.direct.sizes();
        let lines = part.planes.end.min(sizes[0]) - part.planes.start;
        // What is not negative, or anything.
        let least = simd.splat_f32s(if activation == Activation::Relu { 0.0 } else { f32::NEG_INFINITY });
        for (number, weights) in
            stored.chunks_exact(POINTS * POINTS * depth * strip).enumerate().take(strips.end).skip(strips.start)
        {
            let first = number * strip;
            let columns = strip.min((width - first).next_multiple_of(lanes));
            let product = Product { rows: count, columns, depth, left: [pitch, 1], pitch: strip };
            for ((inputs, outputs), weights) in
                inputs.chunks_exact(of_inputs).zip(outputs.chunks_exact_mut(of_outputs)).zip(weights.chunks_exact(depth * strip))
            {
                ahead.ask();
                product.compute::<S, false>(simd, inputs, weights, outputs);
            }
            for (number, tile) in tiles.iter().enumerate() {
                let first_pixel = (tile.image * sizes[0] + tile.at[0]) * sizes[1] + tile.at[1];
                let [height, across] = [lines.saturating_sub(tile.at[0]), sizes[1] - tile.at[1]];
                for column in (0..columns).step_by(lanes) {
                    let points = Evenly::new(&outputs[number * strip + column..], [POINTS * of_outputs, of_outputs]);
                    let columns = first + column..width.min(first + column + lanes);
                    let bias = match bias {
                        Some(bias) => Vectors(simd).load(&bias[columns.clone()]),
                        None => simd.splat_f32s(0.0),
                    };
                    let values = Vectors(simd).to_outputs_of_tile(points);
                    let values = each!(4, y => each!(4, x => simd.add_f32s(values[y][x], bias)));
                    let (at, line) = (first_pixel * width + columns.start, sizes[1] * width);
                    if columns.len() == lanes && height >= SIDE && across >= SIDE {
                        let values = match added {
                            Some(added) => {
                                let added = Evenly::<S, SIDE>::new(&added[at..], [line, width]);
                                each!(4, y => each!(4, x => simd.add_f32s(values[y][x], added.at(y, x))))
                            }
                            None => values,
                        };
                        let values = each!(4, y => each!(4, x => simd.max_f32s(least, values[y][x])));
                        // SAFETY: whoever computes outputs has the columns of the strips it computes to itself.
                        unsafe { ys.write_square::<S>(values, at, [line, width]) };
                        continue;
                    }
                    let edge = Edge { first: at, apart: [line, width], size: [height, across], columns: columns.len() };
                    // SAFETY: as above.
                    unsafe { edge.write(simd, &values, added, least, ys) };
                }
            }
        }
    }
}

/// The outputs of a tile that are there, where some are not, or where columns are fewer than a vector has.
struct Edge {
    first: usize,
    /// Values from line to line, and from pixel to pixel.
    apart: [usize; 2],
    /// Lines and pixels that are there, perhaps more than the tile's.
    size: [usize; 2],
    columns: usize,
}

impl Edge {
    /// Writes values, with what lies there in `added`, but none less than `least`.
    ///
    /// # Safety
    /// As of [`Place::values`].
    #[inline(always)]
    unsafe fn write<S: Simd>(self, simd: S, values: &[[S::f32s; SIDE]; SIDE], added: Option<&[f32]>, least: S::f32s, to: Place) {
        let Self { first, apart: [line, pixel], size: [height, width], columns } = self;
        for (y, values) in values.iter().enumerate().take(height) {
            for (x, value) in values.iter().enumerate().take(width) {
                let at = first + y * line + x * pixel..first + y * line + x * pixel + columns;
                let value = match added {
                    Some(added) => simd.add_f32s(*value, Vectors(simd).load(&added[at.clone()])),
                    None => *value,
                };
                let value = [simd.max_f32s(least, value)];
                let value: &[f32] = pulp::bytemuck::cast_slice(&value);
                // SAFETY: the caller's.
                unsafe { to.values(at) }.write_copy_of_slice(&value[..columns]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::conv::tests::{Passes, expect_passes};
    use crate::kernels::share::{alone, in_pairs};
    use crate::spec::{Conv2D, Convolution, Padding};

    fn agrees(spec: Convolution<2>, dims: &[usize], activation: Activation) -> usize {
        expect_passes(spec, dims, activation, [false; 2], |conv, numbers| {
            let gradient = Winograd::of_input(&conv.geometry, conv.filters, 1);
            Passes {
                output: conv.winograd().map(|winograd| {
                    let weights = winograd.weights(&numbers.weight);
                    let output = winograd.compute(&numbers.xs, &weights, numbers.ending());
                    assert_eq!(alone(|| winograd.compute(&numbers.xs, &weights, numbers.ending())), output);
                    assert_eq!(in_pairs(|| winograd.compute(&numbers.xs, &weights, numbers.ending())), output);
                    output
                }),
                sums: conv.winograd().map(|winograd| {
                    let gradient = || winograd.weight_gradient(&numbers.xs, &numbers.added, &numbers.grad, activation);
                    let found = gradient();
                    let of_one = alone(gradient);
                    assert!(of_one.weight == found.weight && of_one.bias == found.bias);
                    found
                }),
                input: gradient
                    .map(|winograd| winograd.compute(&numbers.grad, &winograd.weights(&numbers.weight), numbers.of_input())),
            }
        })
    }

    #[test]
    fn passes_are_those_of_patches() {
        let mut passes = 0;
        for padding in [Padding::Valid, Padding::Same, Padding::Full, Padding::Explicit([[3, 0], [1, 5]])] {
            for (channels, filters) in [(8, 16), (16, 24), (35, 40), (9, 33)] {
                let conv = Conv2D::new(filters, [3, 3]).padding(padding);
                for (dims, activation) in [
                    ([1, 28, 28, channels], Activation::Relu),
                    ([21, 6, 10, channels], Activation::Linear),
                    ([2, 41, 18, channels], Activation::Tanh),
                    ([70, 8, 7, channels], Activation::Relu),
                ] {
                    passes += agrees(conv.convolution(), &dims, activation);
                }
            }
        }
        // So few tiles that threads share the columns.
        for activation in [Activation::Relu, Activation::Tanh] {
            passes += agrees(Conv2D::new(72, [3, 3]).padding(Padding::Same).convolution(), &[1, 7, 8, 40], activation);
        }
        // So many weights that threads share the channels of their gradients.
        passes += agrees(Conv2D::new(136, [3, 3]).padding(Padding::Same).convolution(), &[20, 8, 8, 130], Activation::Relu);
        assert!(passes > 150 || gathered::lanes() == 1, "{passes} passes");
    }

    #[test]
    fn threads_share_the_columns_of_few_tiles() {
        let shares = |batch: usize, filters: usize| {
            let spec = Conv2D::new(filters, [3, 3]).padding(Padding::Same).convolution();
            let geometry = Geometry::new("test", &[batch, 7, 8, 40], &spec.window).unwrap();
            let winograd = Winograd::of_output(&geometry, filters, 1).unwrap();
            winograd.single_part(filters.div_ceil(gathered::strip())).map(|part| (part.images, part.planes))
        };
        if gathered::lanes() == 1 {
            return;
        }
        in_pairs(|| {
            if threads() == 2 {
                assert_eq!(shares(1, 72), Some((0..1, 0..8)));
                assert_eq!(shares(2, 72), None, "as many tiles as keep a thread busy while it reads weights");
                assert_eq!(shares(1, 8), None, "columns of one strip");
            }
        });
        assert_eq!(alone(|| shares(1, 72)), None);
    }

    #[test]
    fn only_what_has_clearly_fewer_products_is_taken() {
        let takes = |spec: Conv2D, dims: [usize; 4]| {
            let geometry = Geometry::<2>::new("test", &dims, &spec.convolution().window).unwrap();
            Winograd::of_output(&geometry, spec.filters, 1).is_some()
        };
        let same = |filters: usize| Conv2D::new(filters, [3, 3]).padding(Padding::Same);
        assert_eq!(takes(same(32), [1, 8, 8, 32]), (gathered::lanes() > 1));
        assert_eq!(takes(same(32), [1, 7, 7, 32]), (gathered::lanes() > 1));
        assert!(!takes(same(32), [1, 5, 5, 32]), "a quarter of the tiles' outputs");
        assert!(!takes(same(32), [1, 8, 8, 3]) && !takes(same(4), [1, 8, 8, 32]), "few channels");
        assert!(!takes(same(32).strides([2, 2]), [1, 16, 16, 32]));
        assert!(!takes(same(32).dilation_rate([2, 2]), [1, 16, 16, 32]));
        assert!(!takes(Conv2D::new(32, [5, 5]), [1, 16, 16, 32]));
        assert!(!takes(same(512), [64, 8, 8, 512]), "few tiles for so many weights");
        assert_eq!(takes(same(512), [1, 14, 14, 512]), gathered::lanes() > 1);
    }
}
