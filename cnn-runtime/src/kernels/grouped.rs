//! Convolution of many groups of few channels, depthwise convolution among them: filters lie side by side in the lanes of vectors, each
//! beside what it multiplies.
//!
//! A filter sees the channels of its group alone. Where these are several, or several filters see them, each pixel is *spread* first: into
//! as many rows as a group has channels, the first of which has, in the lane of each filter, the first channel of its group. Then every lane
//! multiplies what lies in it. Pixels that are next to each other see, but for the ends, the same pixels by the taps of one line: these are
//! read once for all of them.

use super::fill::cleared;
use super::lanes::{lanes_of, set_vector, vector};
use super::patches::Geometry;
use super::pieces::sum_over_pieces;
use super::real::Real;
use super::share::{new_in_chunks, threads};
use super::simd::{arch, simd};
use super::turn::turn;
use super::weighted::{Ending, Gradients, add_rows, undo_activation};
use crate::spec::Activation;
use pulp::{Scalar, Simd, WithSimd};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::null;

/// Values of output that a thread computes at a time, and parts of a small output; several times as many, and fewer, where pixels have to be
/// spread, as two parts both spread what both see.
const BLOCK: usize = 16 * 1024;
const PARTS: usize = 16;

/// Values of output that are cleared before they are written: so many that they are not in a near cache, from where lines that are written
/// piece by piece would be read first.
const LARGE: usize = 64 * 1024;

/// Pixels whose sums stay in registers while the taps go by, of long lines and of short ones.
const MANY: usize = 8;
const FEW: usize = 4;
const FEW_AND_ONE: usize = FEW + 1;

/// A convolution whose groups are many.
pub(super) struct Grouped<const N: usize> {
    pub(super) geometry: Geometry<N>,
    pub(super) filters: usize,
    pub(super) groups: usize,
}

/// What some lanes see of images: each pixel has so many rows of as many numbers as there are lanes.
#[derive(Clone, Copy)]
struct Sight<const N: usize> {
    geometry: Geometry<N>,
    rows: usize,
    lanes: usize,
    /// Cells of an image before the first that lies there.
    skipped: usize,
}

/// Taps of one line that a line of output pixels sees by.
struct Taps {
    /// The column of the image, of which all of the line is there, that the first pixel sees by the first of them; it may lie before the image.
    column: isize,
    /// Where the numbers of that column lie, or would.
    numbers: isize,
    /// Where the weights of the first of them lie.
    weights: usize,
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

    /// Writes by which taps a line of output pixels, of which `row` is one, sees: lines of them, or one by one.
    ///
    /// # Panics
    /// If not all that is seen is among so many numbers.
    #[inline(always)]
    fn taps(&self, row: usize, by_lines: bool, numbers: usize, taps: &mut Vec<Taps>) {
        let geometry = &self.geometry;
        let (width, before) = (geometry.size[N - 1], geometry.before[N - 1] as isize);
        let (at, columns) = (geometry.position(row), geometry.input[N - 1]);
        taps.clear();
        for line in 0..geometry.taps() / width {
            let Some(seen) = geometry.line(&at, line) else { continue };
            let seen = (seen * columns).checked_sub(self.skipped).expect("what is seen is there");
            assert!((seen + columns) * self.rows * self.lanes <= numbers, "what is seen is there");
            for tap in 0..if by_lines { 1 } else { width } {
                let column = (tap * geometry.dilation[N - 1]) as isize - before;
                taps.push(Taps {
                    column,
                    numbers: (seen as isize + column) * (self.rows * self.lanes) as isize,
                    weights: (line * width + tap) * self.lanes,
                });
            }
        }
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

/// Calls `$function` for all lanes, as many as a vector holds or one by one, with the taps of a line, and the cells from what one pixel sees to
/// what the next does, as constants where they are usual. It is told the first lane, and how many there are that are not its own.
macro_rules! for_taps {
    ($line:expr, $simd:ident, $function:ident::<$real:ident>($($argument:expr),* $(,)?)) => {
        match $line.usual {
            Some([3, 1]) => for_taps!(@ 3, 1, $line, $simd, $function::<$real>($($argument),*)),
            Some([3, 2]) => for_taps!(@ 3, 2, $line, $simd, $function::<$real>($($argument),*)),
            Some([5, 1]) => for_taps!(@ 5, 1, $line, $simd, $function::<$real>($($argument),*)),
            Some([5, 2]) => for_taps!(@ 5, 2, $line, $simd, $function::<$real>($($argument),*)),
            Some([7, 1]) => for_taps!(@ 7, 1, $line, $simd, $function::<$real>($($argument),*)),
            _ => for_taps!(@ 1, ANY, $line, $simd, $function::<$real>($($argument),*)),
        }
    };
    (@ $taps:tt, $stride:tt, $line:expr, $simd:ident, $function:ident::<$real:ident>($($argument:expr),*)) => {{
        let (lanes, of_vector) = ($line.lanes, lanes_of::<$real, S>());
        if lanes < of_vector {
            for first in 0..lanes {
                $function::<$real, Scalar, $taps, $stride>(Scalar, [first, 0], $line, $($argument),*);
            }
        } else {
            for next in (0..lanes).step_by(of_vector) {
                // The last vector may begin with lanes of the one before.
                let first = next.min(lanes - of_vector);
                $function::<$real, S, $taps, $stride>($simd, [first, next - first], $line, $($argument),*);
            }
        }
    }};
}

/// A stride that is no constant.
const ANY: usize = 0;

/// The lanes of the widest vector.
const WIDEST: usize = 16;

/// How a line of an image lies in memory.
#[derive(Clone, Copy)]
struct Line {
    lanes: usize,
    rows: usize,
    taps: usize,
    columns: usize,
    stride: usize,
    /// Taps of a line and the stride, where there is a loop for them.
    usual: Option<[usize; 2]>,
}

impl Line {
    #[inline(always)]
    fn new<const N: usize>(sight: &Sight<N>) -> Self {
        let Sight { geometry, rows, lanes, .. } = sight;
        let (columns, size, stride) = (geometry.input[N - 1], geometry.size[N - 1], geometry.strides[N - 1]);
        let is_usual = geometry.dilation[N - 1] == 1 && matches!((size, stride), (3 | 5, 1 | 2) | (7, 1));
        let usual = is_usual.then_some([size, stride]);
        Self { lanes: *lanes, rows: *rows, taps: geometry.taps(), columns, stride, usual }
    }

    /// The column that a pixel sees by the first of some taps, which may lie before the image.
    #[inline(always)]
    fn column<const STRIDE: usize>(&self, taps: &Taps, pixel: usize) -> isize {
        (pixel * if STRIDE == ANY { self.stride } else { STRIDE }) as isize + taps.column
    }

    /// Whether this column and so many after it are of the image.
    #[inline(always)]
    fn has(&self, column: isize, others: usize) -> bool {
        column >= 0 && column as usize + others < self.columns
    }
}

/// Writes what each lane sees at some output pixels of an image, every value of `ys`, and its bias if there are any.
struct Convolve<'a, T, const N: usize> {
    sight: &'a Sight<N>,
    xs: &'a [T],
    weights: &'a [T],
    bias: &'a [T],
    rows: Range<usize>,
    ys: &'a mut [MaybeUninit<T>],
}

impl<T: Real, const N: usize> WithSimd for Convolve<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sight, xs, weights, bias, rows, ys } = self;
        let (mut taps, line) = (Vec::with_capacity(sight.geometry.taps()), Line::new(sight));
        assert_eq!(weights.len(), line.taps * line.rows * line.lanes, "a weight for each tap and row of each lane");
        assert!(bias.is_empty() || bias.len() == line.lanes, "a bias for each lane");
        let numbers = [xs.as_ptr(), weights.as_ptr(), if bias.is_empty() { null() } else { bias.as_ptr() }];
        let mut row = rows.start;
        while row < rows.end {
            sight.taps(row, line.usual.is_some(), xs.len(), &mut taps);
            let first = row % sight.geometry.output[N - 1];
            let columns = first..sight.geometry.output[N - 1].min(first + rows.end - row);
            let ys = ys[(row - rows.start) * line.lanes..][..columns.len() * line.lanes].as_mut_ptr().cast::<T>();
            row += columns.len();
            // SAFETY: the sizes of all slices have been checked, and so has been that what taps see is there.
            unsafe { for_taps!(line, simd, convolve_line::<T>(ys, numbers, &taps, columns.clone())) };
        }
    }
}

/// Of a vector of lanes, for some columns of a line of output pixels.
///
/// # Safety
/// There has to be room for a number of each lane of the columns, and there have to be the lines that the taps see, weights of all taps, and
/// biases unless they are null.
#[inline(always)]
unsafe fn convolve_line<T: Real, S: Simd, const TAPS: usize, const STRIDE: usize>(
    simd: S,
    [first, _]: [usize; 2],
    line: Line,
    ys: *mut T,
    numbers: [*const T; 3],
    taps: &[Taps],
    columns: Range<usize>,
) {
    let (count, mut pixel) = (columns.len(), 0);
    while pixel < count {
        let several = match (count, count - pixel) {
            (MANY.., FEW_AND_ONE..) => MANY,
            (FEW.., _) => FEW,
            _ => 1,
        };
        // The last ones may be computed once more.
        let start = pixel.min(count - several);
        let (ys, at) = (ys.wrapping_add(start * line.lanes), columns.start + start);
        // SAFETY: the caller's, of these pixels.
        unsafe {
            match several {
                MANY => write_sums::<T, S, TAPS, STRIDE, MANY>(simd, first, line, ys, numbers, taps, at),
                FEW => write_sums::<T, S, TAPS, STRIDE, FEW>(simd, first, line, ys, numbers, taps, at),
                _ => write_sums::<T, S, TAPS, STRIDE, 1>(simd, first, line, ys, numbers, taps, at),
            }
        }
        pixel = start + several;
    }
}

/// Of some pixels that are next to each other, from one on.
///
/// # Safety
/// As of [`convolve_line`].
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "an iterator borrows the sums, which leave their registers for that")]
unsafe fn write_sums<T: Real, S: Simd, const TAPS: usize, const STRIDE: usize, const PIXELS: usize>(
    simd: S,
    first: usize,
    line: Line,
    ys: *mut T,
    [xs, weights, bias]: [*const T; 3],
    taps: &[Taps],
    pixel: usize,
) {
    // SAFETY: there are biases unless they are null.
    let bias = if bias.is_null() { T::zero().splat(simd) } else { unsafe { vector::<T, S>(bias, first) } };
    let (mut sums, stride) = ([bias; PIXELS], if STRIDE == ANY { line.stride } else { STRIDE });
    let numbers = [xs.wrapping_add(pixel * stride * line.rows * line.lanes + first), weights.wrapping_add(first)];
    for taps in taps {
        let column = line.column::<STRIDE>(taps, pixel);
        // SAFETY: the caller's, and that the columns are there has been looked at.
        sums = unsafe {
            match line.has(column, (PIXELS - 1) * stride + TAPS - 1) {
                true => with_seen::<T, S, TAPS, STRIDE, PIXELS, true>(simd, sums, line, numbers, taps, column),
                false => with_seen::<T, S, TAPS, STRIDE, PIXELS, false>(simd, sums, line, numbers, taps, column),
            }
        };
    }
    for pixel in 0..PIXELS {
        // SAFETY: there is room for each.
        unsafe { set_vector::<T, S>(ys, pixel * line.lanes + first, sums[pixel]) };
    }
}

/// The sums of some pixels with what they see by some taps, the first of them from some column on.
///
/// # Safety
/// As of [`convolve_line`]; all columns have to be in the line if they are said to be `INSIDE`.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "an iterator borrows the sums, which leave their registers for that")]
unsafe fn with_seen<T: Real, S: Simd, const TAPS: usize, const STRIDE: usize, const PIXELS: usize, const INSIDE: bool>(
    simd: S,
    mut sums: [T::Vector<S>; PIXELS],
    line: Line,
    [xs, weights]: [*const T; 2],
    taps: &Taps,
    column: isize,
) -> [T::Vector<S>; PIXELS] {
    let (stride, nothing) = (if STRIDE == ANY { line.stride } else { STRIDE }, [T::zero(); WIDEST]);
    let (mut xs, mut weights) = (xs.wrapping_offset(taps.numbers), weights.wrapping_add(taps.weights));
    for _ in 0..line.rows {
        for tap in 0..TAPS {
            // SAFETY: there are weights of each tap of these lanes.
            let weights = unsafe { vector::<T, S>(weights, tap * line.lanes) };
            for pixel in 0..PIXELS {
                let further = pixel * stride + tap;
                let is_there = INSIDE || line.has(column + further as isize, 0);
                let xs = if is_there { xs.wrapping_add(further * line.rows * line.lanes) } else { nothing.as_ptr() };
                // SAFETY: the line has this column, or there are as many zeros as the widest vector has lanes.
                let xs = unsafe { vector::<T, S>(xs, 0) };
                sums[pixel] = T::multiply_add(simd, xs, weights, sums[pixel]);
            }
        }
        (xs, weights) = (xs.wrapping_add(line.lanes), weights.wrapping_add(line.taps * line.lanes));
    }
    sums
}

/// Adds the gradients of the weights, in their lanes, for an image and the gradient of its output.
struct AddWeightGradients<'a, T, const N: usize> {
    sight: &'a Sight<N>,
    xs: &'a [T],
    grad: &'a [T],
    weight: &'a mut [T],
}

impl<T: Real, const N: usize> WithSimd for AddWeightGradients<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sight, xs, grad, weight } = self;
        let (mut taps, line) = (Vec::with_capacity(sight.geometry.taps()), Line::new(sight));
        assert_eq!(weight.len(), line.taps * line.rows * line.lanes, "a weight for each tap and row of each lane");
        let width = sight.geometry.output[N - 1];
        for (number, grad) in grad.chunks_exact(width * line.lanes).enumerate() {
            sight.taps(number * width, line.usual.is_some(), xs.len(), &mut taps);
            let (numbers, weight) = ([xs.as_ptr(), grad.as_ptr()], weight.as_mut_ptr());
            // SAFETY: there are so many weights and pixels, and what taps see has been checked to be there.
            unsafe { for_taps!(line, simd, add_products::<T>(weight, numbers, &taps, width)) };
        }
    }
}

/// Of a vector of lanes, for a line of so many output pixels.
///
/// # Safety
/// There have to be the lines that the taps see, a gradient of each lane of the pixels, and weights of all taps, borrowed exclusively.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "an iterator borrows the sums, which leave their registers for that")]
unsafe fn add_products<T: Real, S: Simd, const TAPS: usize, const STRIDE: usize>(
    simd: S,
    [first, others]: [usize; 2],
    line: Line,
    weight: *mut T,
    [xs, grad]: [*const T; 2],
    taps: &[Taps],
    pixels: usize,
) {
    let stride = if STRIDE == ANY { line.stride } else { STRIDE };
    let (cell, nothing) = (line.rows * line.lanes, [T::zero(); WIDEST]);
    for taps in taps {
        let mut weight = weight.wrapping_add(taps.weights + first);
        let mut xs = xs.wrapping_offset(taps.numbers).wrapping_add(first);
        for _ in 0..line.rows {
            let mut sums = [T::zero().splat(simd); TAPS];
            for tap in 0..TAPS {
                // SAFETY: there are weights of each tap of these lanes.
                sums[tap] = unsafe { vector::<T, S>(weight, tap * line.lanes) };
            }
            for pixel in 0..pixels {
                // SAFETY: there are gradients of each pixel.
                let grad = unsafe { vector::<T, S>(grad, pixel * line.lanes + first) };
                let column = line.column::<STRIDE>(taps, pixel);
                let (is_inside, xs) = (line.has(column, TAPS - 1), xs.wrapping_add(pixel * stride * cell));
                for tap in 0..TAPS {
                    let is_there = is_inside || line.has(column + tap as isize, 0);
                    let xs = if is_there { xs.wrapping_add(tap * cell) } else { nothing.as_ptr() };
                    // SAFETY: the line has this column, or there are as many zeros as the widest vector has lanes.
                    let xs = unsafe { vector::<T, S>(xs, 0) };
                    sums[tap] = T::multiply_add(simd, xs, grad, sums[tap]);
                }
            }
            for tap in 0..TAPS {
                // SAFETY: as above.
                unsafe { set_rest::<T, S>(weight.add(tap * line.lanes), others, sums[tap]) };
            }
            (xs, weight) = (xs.wrapping_add(line.lanes), weight.wrapping_add(line.taps * line.lanes));
        }
    }
}

/// Writes a vector but for so many of its first lanes.
///
/// # Safety
/// There has to be room for it, borrowed exclusively.
#[inline(always)]
unsafe fn set_rest<T: Real, S: Simd>(to: *mut T, others: usize, vector: T::Vector<S>) {
    // SAFETY: the caller's, and that a vector is made of numbers.
    unsafe {
        match others {
            0 => set_vector::<T, S>(to, 0, vector),
            _ => {
                let numbers = (&raw const vector).cast::<T>();
                (others..lanes_of::<T, S>()).for_each(|lane| to.add(lane).write(numbers.add(lane).read()));
            }
        }
    }
}

/// Adds the gradient of an image, in the lanes of its channels, from the output's, spread.
struct PassBack<'a, T, const N: usize> {
    sight: &'a Sight<N>,
    grad: &'a [T],
    weights: &'a [T],
    image: &'a mut [T],
}

impl<T: Real, const N: usize> WithSimd for PassBack<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sight, grad, weights, image } = self;
        let (mut taps, line) = (Vec::with_capacity(sight.geometry.taps()), Line::new(sight));
        assert_eq!(weights.len(), line.taps * line.rows * line.lanes, "a weight for each tap and row of each lane");
        let (width, of_image) = (sight.geometry.output[N - 1], Sight { rows: 1, ..*sight });
        for (number, grad) in grad.chunks_exact(width * line.rows * line.lanes).enumerate() {
            of_image.taps(number * width, false, image.len(), &mut taps);
            let (image, numbers) = (image.as_mut_ptr(), [weights.as_ptr(), grad.as_ptr()]);
            // SAFETY: there are so many weights and pixels, and what taps see has been checked to be there.
            unsafe { for_taps!(@ 1, ANY, line, simd, pass_line_back::<T>(image, numbers, &taps, width)) };
        }
    }
}

/// Of a vector of lanes, for a line of so many output pixels.
///
/// # Safety
/// There have to be the lines of the image that the taps see, borrowed exclusively, weights of all taps, and the pixels' gradients, spread.
#[inline(always)]
unsafe fn pass_line_back<T: Real, S: Simd, const TAPS: usize, const STRIDE: usize>(
    simd: S,
    [first, others]: [usize; 2],
    line: Line,
    image: *mut T,
    [weights, grad]: [*const T; 2],
    taps: &[Taps],
    pixels: usize,
) {
    for taps in taps {
        for pixel in 0..pixels {
            let column = line.column::<STRIDE>(taps, pixel);
            if !line.has(column, TAPS - 1) {
                continue;
            }
            // SAFETY: the line has this column, and there are weights of each tap and gradients of each pixel.
            unsafe {
                let image = image.wrapping_offset(taps.numbers).add(pixel * line.stride * line.lanes + first);
                let mut sums = vector::<T, S>(image, 0);
                for row in 0..line.rows {
                    let weights = vector::<T, S>(weights, taps.weights + row * line.taps * line.lanes + first);
                    let grad = vector::<T, S>(grad, (pixel * line.rows + row) * line.lanes + first);
                    sums = T::multiply_add(simd, weights, grad, sums);
                }
                set_rest::<T, S>(image, others, sums);
            }
        }
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
