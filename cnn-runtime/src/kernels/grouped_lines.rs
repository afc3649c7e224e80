//! What lanes of vectors see of images, line by line: sums over the taps of many small groups, and their gradients.
//!
//! Pixels that are next to each other see, but for the ends, the same pixels by the taps of one line: these are read once for all of them.
//! Beyond the ends they see zeros, so that borders are no loops of their own.

use super::lanes::{lanes_of, set_vector, vector};
use super::patches::Geometry;
use super::real::Real;
use pulp::{Scalar, Simd, WithSimd};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::null;

/// Pixels whose sums stay in registers while the taps go by, of long lines and of short ones.
const MANY: usize = 8;
const FEW: usize = 4;
const FEW_AND_ONE: usize = FEW + 1;

/// What some lanes see of images: each pixel has so many rows of as many numbers as there are lanes.
#[derive(Clone, Copy)]
pub(super) struct Sight<const N: usize> {
    pub(super) geometry: Geometry<N>,
    pub(super) rows: usize,
    pub(super) lanes: usize,
    /// Cells of an image before the first that lies there.
    pub(super) skipped: usize,
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

impl<const N: usize> Sight<N> {
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
pub(super) struct Convolve<'a, T, const N: usize> {
    pub(super) sight: &'a Sight<N>,
    pub(super) xs: &'a [T],
    pub(super) weights: &'a [T],
    pub(super) bias: &'a [T],
    pub(super) rows: Range<usize>,
    pub(super) ys: &'a mut [MaybeUninit<T>],
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
pub(super) struct AddWeightGradients<'a, T, const N: usize> {
    pub(super) sight: &'a Sight<N>,
    pub(super) xs: &'a [T],
    pub(super) grad: &'a [T],
    pub(super) weight: &'a mut [T],
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
pub(super) struct PassBack<'a, T, const N: usize> {
    pub(super) sight: &'a Sight<N>,
    pub(super) grad: &'a [T],
    pub(super) weights: &'a [T],
    pub(super) image: &'a mut [T],
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
