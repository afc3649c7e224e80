//! Convolution of `f32` sequences and images on tile registers, forward and, by a convolution, the gradient of its input.
//!
//! The output is computed slab by slab: the pieces of what a slab sees are the left matrix of its product with the weights,
//! in place. Small images are computed in groups instead, pixel by pixel.

use super::aligned::Aligned;
use super::patches::Geometry;
use super::share::{for_each, threads};
use super::tile_images::Group;
use super::tile_matrix::{Left, Right, Unpacked, in_order, starts};
use super::tile_pieces::{Output, finish_rest, write_rows};
use super::tile_slab::{Slab, number_at, runs};
use super::tile_taps::{Pixels, of_output, write_images};
use super::tiles::{DEPTH, SIDE, Tiles, available};
use super::weighted::Ending;
use crate::Precision;
use std::cell::RefCell;
use std::ops::Range;

/// Output pixels of a slab, unless there are few: enough to fill tiles, few enough to stay in a cache.
pub(super) const PIXELS: usize = 512;

/// The least products of a convolution that tiles are worth setting up for.
pub(super) const PRODUCTS: usize = 64 * 1024;

/// A convolution without groups, as tiles compute it.
#[derive(Clone, Copy, Debug)]
pub(super) struct TileConv {
    pub(super) geometry: Geometry,
    pub(super) filters: usize,
    pub(super) precision: Precision,
}

thread_local! {
    /// Room for the pieces of what a slab or some images see, which a thread keeps for the next ones.
    pub(super) static PIECES: RefCell<Aligned<u16>> = RefCell::default();
}

impl TileConv {
    /// The convolution, if tiles can compute it and it is worth their while: where runs of few numbers fill no tile, too much
    /// of what is multiplied is zeros.
    pub(super) fn new<const N: usize>(
        geometry: &Geometry<N>,
        filters: usize,
        groups: usize,
        precision: Precision,
    ) -> Option<Self> {
        let geometry = geometry.planar()?;
        let Geometry { batch, channels, .. } = geometry;
        let fills = runs(&geometry).1 >= SIDE && filters >= SIDE / 2;
        let products = batch * geometry.pixels() * geometry.taps() * channels * filters;
        (groups == 1 && fills && products >= PRODUCTS && available()).then_some(Self { geometry, filters, precision })
    }

    /// The convolution that computes the gradient of the input, if tiles can.
    pub(super) fn of_input_gradient<const N: usize>(
        geometry: &Geometry<N>,
        filters: usize,
        groups: usize,
        precision: Precision,
    ) -> Option<Self> {
        let Geometry { batch, input, channels, output, size, strides, dilation, before } = geometry.planar()?;
        let before = [0, 1].map(|axis| ((size[axis] - 1) * dilation[axis]).checked_sub(before[axis]));
        let before = [before[0]?, before[1]?];
        let turned = Geometry { batch, input: output, channels: filters, output: input, size, strides, dilation, before };
        if strides == [1, 1] { Self::new(&turned, channels, groups, precision) } else { None }
    }

    /// Numbers in the runs of a window, each filled up to a multiple of `step`.
    pub(super) fn window(&self, step: usize) -> usize {
        let (runs, len) = runs(&self.geometry);
        runs * len.next_multiple_of(step)
    }

    /// The slabs of the batch, in order, of about so many output pixels.
    pub(super) fn slabs(&self, pixels: usize) -> Vec<Slab> {
        let Geometry { batch, output: [height, width], .. } = self.geometry;
        let (images, parts) = ((pixels / (height * width)).max(1), (height * width).div_ceil(pixels));
        let lines = height.div_ceil(parts);
        let firsts = (0..batch).step_by(images).flat_map(|image| (0..height).step_by(lines).map(move |line| (image, line)));
        let slab = |(image, line): (usize, usize)| {
            Slab::new(&self.geometry, image..(image + images).min(batch), line..(line + lines).min(height))
        };
        firsts.map(slab).collect()
    }

    /// The output pixels of a slab that one thread computes.
    fn share(&self) -> usize {
        /// Tiles of so few rows still pay for the weights that pass by.
        const LEAST: usize = 2 * SIDE;
        let pixels = self.geometry.batch * self.geometry.pixels();
        pixels.div_ceil(threads()).clamp(LEAST, PIXELS)
    }

    /// The number of a slab's first output pixel in the batch.
    pub(super) fn first_pixel(&self, slab: &Slab) -> usize {
        let [height, width] = self.geometry.output;
        (slab.images.start * height + slab.lines.start) * width
    }

    /// The weights `F, C, KH, KW` as a right matrix, in the order of windows.
    pub(super) fn right<'a>(&self, weight: &'a [f32]) -> Unpacked<'a> {
        let (channels, taps) = (self.geometry.channels, self.geometry.taps());
        self.right_by(weight, channels * taps, |number| number % channels * taps + number / channels)
    }

    /// The weights `F, C, KH, KW` of the convolution whose input gradient this one computes.
    pub(super) fn turned_right<'a>(&self, weight: &'a [f32]) -> Unpacked<'a> {
        let (filters, channels, taps) = (self.geometry.channels, self.filters, self.geometry.taps());
        self.right_by(weight, taps, |number| number % filters * channels * taps + taps - 1 - number / filters)
    }

    /// The weights as a right matrix whose row for each number of a window begins at `start`, and has filters `apart`.
    fn right_by<'a>(&self, weight: &'a [f32], apart: usize, start: impl Fn(usize) -> usize) -> Unpacked<'a> {
        let row = |k: usize| number_at(&self.geometry, DEPTH, k).map(&start);
        let columns = (0..self.filters).map(|filter| filter * apart);
        Unpacked::new(self.precision, weight, (0..self.window(DEPTH)).map(row), columns)
    }

    /// The output for all images.
    pub(super) fn forward(&self, xs: &[f32], weight: &Right, ending: Ending<f32>) -> Vec<f32> {
        let len = self.geometry.batch * self.geometry.pixels() * self.filters;
        let mut ys = Vec::with_capacity(len);
        let out = Output(ys.as_mut_ptr());
        if let Some((seen, pixels)) = self.small_images() {
            self.forward_images(xs, weight, &seen, &pixels, ending, out);
        } else {
            for_each(self.parts(weight), |(slab, strips)| {
                PIECES.with_borrow_mut(|pieces| self.forward_slab(xs, weight, &slab, strips, pieces, ending, out));
            });
        }
        // SAFETY: the images, or the parts, have all `len` values, and each has been written.
        unsafe { ys.set_len(len) };
        finish_rest(ending, &mut ys);
        ys
    }

    /// Slabs with some strips of the weights, which threads take one by one. Of weights that would fill its cache, each of two
    /// threads takes half for a single image.
    fn parts(&self, weight: &Right) -> Vec<(Slab, Range<usize>)> {
        const LARGE: usize = 128 * 1024;
        let strips = weight.strips();
        if self.geometry.batch == 1 && threads() == 2 && strips > 1 && weight.bytes() > LARGE {
            let halves = [0..strips / 2, strips / 2..strips];
            return halves
                .into_iter()
                .flat_map(|half| self.slabs(PIXELS).into_iter().map(move |slab| (slab, half.clone())))
                .collect();
        }
        self.slabs(self.share()).into_iter().map(|slab| (slab, 0..strips)).collect()
    }

    /// How images lie, and what each pixel sees, if they are so small that groups of them have clearly fewer rows than slabs, and so many
    /// that every thread has a group.
    fn small_images(&self) -> Option<(Geometry, Vec<Pixels>)> {
        // Where the channels fill tiles, those of a tap are tiles of their own: taps that would see padding are left out, and it need
        // not be there. Without padding the two ways multiply the same, and the other lays out no line that nothing sees.
        let is_by_tap = self.geometry.channels.is_multiple_of(DEPTH) && self.geometry.before != [0, 0];
        let seen = if is_by_tap { self.geometry.pointwise() } else { self.geometry };
        let are_many = self.geometry.batch >= SIDE * threads();
        let pays = are_many && Group::fits(&seen, self.precision) && self.has_fewer_rows_in_groups(SIDE);
        pays.then(|| (seen, if is_by_tap { of_output(&self.geometry) } else { vec![Pixels::of_padded(&seen)] }))
    }

    /// Whether groups of so many images have clearly fewer rows than slabs, which have positions that are no pixels.
    pub(super) fn has_fewer_rows_in_groups(&self, images: usize) -> bool {
        let Geometry { batch, output: [height, _], .. } = self.geometry;
        let rows = batch.next_multiple_of(images) * self.geometry.pixels();
        rows + rows / 8 < batch.div_ceil(SIDE) * Slab::new(&self.geometry, 0..batch.min(SIDE), 0..height).rows()
    }

    /// Writes the output of small images.
    fn forward_images(&self, xs: &[f32], weight: &Right, seen: &Geometry, pixels: &[Pixels], ending: Ending<f32>, out: Output) {
        let (batch, image_len) = (seen.batch, self.geometry.pixels() * self.filters);
        for_each((0..batch).step_by(SIDE).collect(), |first| {
            let group = Group::new(seen, first..batch.min(first + SIDE), 0..seen.output[0]);
            let images = group.images.len();
            PIECES.with_borrow_mut(|pieces| {
                let left = group.left(xs, self.precision, pieces);
                // SAFETY: the output has room for all images, and no other part has these.
                unsafe {
                    write_images(left, weight, 0..weight.strips(), pixels, images, image_len, first * image_len, ending, out)
                };
            });
        });
    }

    /// Writes the columns of some strips of the output of a slab.
    #[allow(clippy::too_many_arguments)]
    fn forward_slab(
        &self,
        xs: &[f32],
        weight: &Right,
        slab: &Slab,
        strips: Range<usize>,
        scratch: &mut Aligned<u16>,
        ending: Ending<f32>,
        out: Output,
    ) {
        let Some(tiles) = Tiles::new() else { unreachable!("there are tiles") };
        let (pieces, pitch) = (slab.split(xs, self.precision, scratch), slab.pitch());
        let left =
            Left { pieces, pitch, plane: slab.plane, starts: starts(slab.rows(), pitch), steps: in_order(slab.steps(DEPTH)) };
        let (filters, first) = (self.filters, self.first_pixel(slab) * self.filters);
        left.product(&tiles, weight, strips, |tile, column, values| {
            let row = tile * SIDE;
            let columns = column..filters.min(column + SIDE);
            for (rows, pixel) in slab.stretches(row..slab.rows().min(row + values.len())) {
                let (at, values) = (first + pixel * filters, &values[rows.start - row..rows.end - row]);
                // SAFETY: these are columns of pixels of the slab, all of which the output has room for, and no other part has
                // both the slab and the strip.
                unsafe { write_rows(values, columns.clone(), ending, filters, at, out) };
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::conv::tests::{Passes, expect_passes};
    use crate::kernels::share::alone;
    use crate::spec::{Activation, Conv2D, Convolution, Padding};

    /// Checks what tiles compute of a convolution, with all that is to become of it, and counts the passes.
    fn agrees(spec: Convolution<2>, dims: [usize; 4], activation: Activation) -> usize {
        expect_passes(spec, &dims, activation, [false; 2], |conv, numbers| {
            let tiled = TileConv::new(&conv.geometry, conv.filters, 1, Precision::F32);
            let output = |tiled: TileConv| {
                tiled.right(&numbers.weight).packed(|weight| tiled.forward(&numbers.xs, weight, numbers.ending()))
            };
            Passes {
                output: tiled.map(output),
                sums: None,
                input: conv.input_gradient_on_tiles(&numbers.weight, &numbers.grad, numbers.of_input()),
            }
        })
    }

    /// The gradients are computed by a convolution, pixel by pixel, and window by window.
    #[test]
    fn passes_end_as_they_are_to() {
        let mut passes = 0;
        for activation in [Activation::Linear, Activation::Relu, Activation::Tanh] {
            for padding in [Padding::Valid, Padding::Same] {
                for (kernel, strides) in [([3, 3], [1, 1]), ([3, 3], [2, 2]), ([1, 1], [2, 2]), ([2, 3], [3, 1])] {
                    let conv = Conv2D::new(40, kernel).strides(strides).padding(padding).convolution();
                    for dims in [[2, 40, 33, 24], [32, 8, 7, 32], [19, 6, 9, 24]] {
                        passes += agrees(conv, dims, activation);
                    }
                }
            }
        }
        // Two gradients of windows of one cell are too small to be computed window by window.
        assert_eq!(passes, if available() { 3 * 2 * (4 * 3 * 2 - 2) } else { 0 });
    }

    #[test]
    fn tiles_are_used_where_they_pay() {
        let on_tiles = |spec: Conv2D, dims: [usize; 4]| {
            let geometry = Geometry::<2>::new("test", &dims, &spec.convolution().window).unwrap();
            TileConv::new(&geometry, spec.filters, 1, Precision::F32).is_some()
        };
        assert_eq!(on_tiles(Conv2D::new(32, [3, 3]), [1, 32, 32, 16]), available());
        assert!(!on_tiles(Conv2D::new(32, [3, 3]), [64, 32, 32, 3]));
        assert!(!on_tiles(Conv2D::new(32, [3, 3]), [1, 4, 4, 16]));
    }

    #[test]
    fn small_images_are_computed_pixel_by_pixel() {
        let kinds_of_pixels = |spec: Conv2D, dims: [usize; 4]| {
            let geometry = Geometry::<2>::new("test", &dims, &spec.convolution().window).unwrap();
            alone(|| TileConv::new(&geometry, spec.filters, 1, Precision::F32)?.small_images().map(|(_, pixels)| pixels.len()))
        };
        let if_available = |count: usize| available().then_some(count);
        let (strided, same) = (Conv2D::new(32, [3, 3]).strides([2, 2]), Conv2D::new(32, [3, 3]).padding(Padding::Same));
        assert_eq!(kinds_of_pixels(strided, [40, 13, 13, 32]), if_available(1));
        assert_eq!(kinds_of_pixels(same, [16, 8, 8, 64]), if_available(9));
        assert_eq!(kinds_of_pixels(same, [16, 8, 8, 48]), if_available(1));
        assert_eq!(kinds_of_pixels(same, [15, 8, 8, 64]), None);
        assert_eq!(kinds_of_pixels(same, [16, 64, 64, 32]), None);
        assert_eq!(kinds_of_pixels(Conv2D::new(32, [1, 1]), [64, 8, 8, 64]), None);
    }
}
