//! The gradient of a convolution's input on tile registers where windows lie apart and images are small: pixel by pixel.
//!
//! A tile of rows is the gradient of one output pixel in each of 16 images. That of an input pixel is the sum of those whose
//! windows saw it, each times the weights of the tap that did. Pixels that were seen by the same taps of windows that lie alike are
//! computed together.

use super::patches::Geometry;
use super::share::{for_each, threads};
use super::tile_images::Group;
use super::tile_matrix::{Aligned, Left, Right, Unpacked};
use super::tile_pieces::{Output, write_rows};
use super::tiles::{DEPTH, SIDE, Tiles, available};
use super::weighted::Ending;
use crate::Precision;
use crate::spec::Activation;
use std::cell::RefCell;
use std::ops::Range;

thread_local! {
    static SCRATCH: RefCell<Aligned<u16>> = RefCell::default();
}

/// The gradient of the input, from that of the output before any activation and the weights, `F, C, KH, KW` for images, if
/// images are small and many, and tiles worth their while.
pub(super) fn input_gradient<const N: usize>(
    geometry: &Geometry<N>,
    weight: &[f32],
    grad: &[f32],
    precision: Precision,
) -> Option<Vec<f32>> {
    let gradient = InputGradient::new(geometry, weight.len(), precision)?;
    Some(gradient.right(weight).packed(|weight| gradient.compute(weight, grad)))
}

/// A convolution without groups whose input gradient this computes.
struct InputGradient {
    geometry: Geometry,
    filters: usize,
    precision: Precision,
    /// The gradient of the output, as an image.
    seen: Geometry,
}

/// Input positions of one axis that were seen alike.
struct Alike {
    /// Each tap that saw one, and how far from the first output position that did.
    taps: Vec<(usize, usize)>,
    /// Each position, and the first output position that saw it.
    positions: Vec<(usize, usize)>,
}

/// Input pixels that were seen alike, by their numbers, and what of a group they are computed from.
struct Pixels {
    numbers: Vec<usize>,
    starts: Vec<usize>,
    steps: Vec<[usize; 2]>,
}

impl InputGradient {
    fn new<const N: usize>(geometry: &Geometry<N>, weights: usize, precision: Precision) -> Option<Self> {
        /// Bytes of a group that stay in a core's cache.
        const CACHED: usize = 1024 * 1024;
        let geometry = geometry.planar()?;
        let Geometry { batch, channels, output, .. } = geometry;
        let filters = weights / (channels * geometry.taps());
        let seen = Geometry {
            input: output,
            channels: filters,
            size: [1, 1],
            strides: [1, 1],
            dilation: [1, 1],
            before: [0, 0],
            ..geometry
        };
        let row_len = Group::new(&seen, 0..SIDE, 0..output[0]).row_len;
        let fits = size_of::<u16>() * precision.pieces() * SIDE * row_len <= CACHED;
        let fills = batch.next_multiple_of(SIDE) <= batch + batch / 4 && filters >= SIDE && channels >= SIDE / 2;
        (available() && fits && fills).then_some(Self { geometry, filters, precision, seen })
    }

    /// Stretches that the filters fill.
    fn stretches(&self) -> usize {
        self.filters.div_ceil(DEPTH)
    }

    /// The weights as a right matrix: for each tap a row for each filter.
    fn right<'a>(&self, weight: &'a [f32]) -> Unpacked<'a> {
        let (filters, channels, taps) = (self.filters, self.geometry.channels, self.geometry.taps());
        let row = move |tap: usize, filter: usize| (filter < filters).then_some(filter * channels * taps + tap);
        let of_tap = self.stretches() * DEPTH;
        let rows = (0..taps).flat_map(|tap| (0..of_tap).map(move |filter| row(tap, filter)));
        Unpacked::new(self.precision, weight, rows, (0..channels).map(|channel| channel * taps))
    }

    /// The gradient for all images.
    fn compute(&self, weight: &Right, grad: &[f32]) -> Vec<f32> {
        let (batch, strips) = (self.geometry.batch, weight.strips());
        let len = batch * self.geometry.image_len();
        let mut input = Vec::with_capacity(len);
        let out = Output(input.as_mut_ptr());
        let pixels = self.pixels();
        // Of few groups, each of several threads has some strips.
        let of_part = strips.div_ceil(threads().div_ceil(batch.div_ceil(SIDE)));
        let firsts = (0..batch).step_by(SIDE).flat_map(|image| (0..strips).step_by(of_part).map(move |strip| (image, strip)));
        for_each(firsts.collect(), |(image, strip)| {
            let group = Group::new(&self.seen, image..batch.min(image + SIDE), 0..self.seen.output[0]);
            let strips = strip..strips.min(strip + of_part);
            SCRATCH.with_borrow_mut(|scratch| self.write(weight, grad, &group, strips, &pixels, scratch, out));
        });
        // SAFETY: the groups have all images, the strips all channels, and all pixels have been written.
        unsafe { input.set_len(len) };
        input
    }

    /// Writes the channels of some strips of some images.
    #[allow(clippy::too_many_arguments)]
    fn write(
        &self,
        weight: &Right,
        grad: &[f32],
        group: &Group,
        strips: Range<usize>,
        pixels: &[Pixels],
        scratch: &mut Aligned<u16>,
        out: Output,
    ) {
        let Some(tiles) = Tiles::new() else { unreachable!("there are tiles") };
        let (channels, image_len, images) = (self.geometry.channels, self.geometry.image_len(), group.images.len());
        let first = group.images.start * image_len;
        let ending = Ending { bias: None, added: None, activation: Activation::Linear };
        let mut left = group.left(grad, self.precision, scratch);
        for pixels in pixels {
            left = Left { starts: pixels.starts.clone(), steps: pixels.steps.clone(), ..left };
            left.product(&tiles, weight, strips.clone(), |tile, column, values| {
                for (pixel, values) in pixels.numbers[tile..].iter().zip(values.chunks_exact(SIDE)) {
                    let (at, columns) = (first + pixel * channels, column..channels.min(column + SIDE));
                    // SAFETY: these are channels of a pixel of each image, all of which the gradient has room for, and no other
                    // part has both the images and the strip.
                    unsafe { write_rows(&values[..images], columns, ending, image_len, at, out) };
                }
            });
        }
    }

    /// All pixels of an image.
    fn pixels(&self) -> Vec<Pixels> {
        let [lines, columns] = [0, 1].map(|axis| alike(&self.geometry, axis));
        lines.iter().flat_map(|line| columns.iter().map(|column| self.pixels_alike(line, column))).collect()
    }

    fn pixels_alike(&self, lines: &Alike, columns: &Alike) -> Pixels {
        let Geometry { input: [_, width], output: [_, seen_width], size: [_, taps], .. } = self.geometry;
        let positions = || lines.positions.iter().flat_map(|line| columns.positions.iter().map(move |column| [line, column]));
        let tap = |[(ky, y), (kx, x)]: [&(usize, usize); 2], stretch: usize| {
            let start = (y * seen_width + x) * self.filters + stretch * DEPTH;
            [start, (ky * taps + kx) * self.stretches() + stretch]
        };
        let windows = lines.taps.iter().flat_map(|line| columns.taps.iter().map(move |column| [line, column]));
        Pixels {
            numbers: positions().map(|[(y, _), (x, _)]| y * width + x).collect(),
            starts: positions().map(|[(_, y), (_, x)]| (y * seen_width + x) * self.filters).collect(),
            steps: windows.flat_map(|window| (0..self.stretches()).map(move |stretch| tap(window, stretch))).collect(),
        }
    }
}

/// The input positions of an axis.
fn alike(geometry: &Geometry, axis: usize) -> Vec<Alike> {
    let [input, output, size, stride, dilation, before] =
        [geometry.input, geometry.output, geometry.size, geometry.strides, geometry.dilation, geometry.before]
            .map(|of_axis| of_axis[axis]);
    let mut found: Vec<Alike> = Vec::new();
    for position in 0..input {
        let seen = |tap: usize| {
            let start = (position + before).checked_sub(tap * dilation)?;
            (start % stride == 0 && start / stride < output).then_some((tap, start / stride))
        };
        // The last tap that saw it did so from the first output position.
        let seen: Vec<_> = (0..size).rev().filter_map(seen).collect();
        let first = seen.first().map_or(0, |(_, first)| *first);
        let taps: Vec<_> = seen.into_iter().map(|(tap, at)| (tap, at - first)).collect();
        match found.iter_mut().find(|alike| alike.taps == taps) {
            Some(alike) => alike.positions.push((position, first)),
            None => found.push(Alike { taps, positions: vec![(position, first)] }),
        }
    }
    found
}
