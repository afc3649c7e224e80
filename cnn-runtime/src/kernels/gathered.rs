//! Products of a matrix whose numbers lie scattered among others: number `k` of a row is as far from where the row starts as number
//! `k` of any other row is from its own.
//!
//! What a convolution's windows see is such a matrix, and so are transposed and ordinary ones; they are multiplied where they
//! lie, without being gathered first (an *indirect* convolution, [Dukhan 2019](https://arxiv.org/abs/1907.02129)). The sums of some rows,
//! for as many columns as two vectors hold, stay in registers while the right matrix passes by: each of a row's factors, repeated over
//! a vector, times the columns of a row of the right matrix. Where a [`Factor`] is a pair of numbers, a row of the right matrix is two of
//! the numbers' matrix, side by side.

use super::aligned::Aligned;
use super::factor::{Factor, Pair};
use super::share::{for_each, threads};
use super::simd::arch;
use super::turn::turn;
use super::weighted::Ending;
use crate::Precision;
use crate::spec::Activation;
use pulp::{Simd, WithSimd};
use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Vectors of columns whose sums are in registers at once.
const VECTORS: usize = 2;

/// Rows whose sums for so many vectors are in registers at once, at most.
pub(super) const ROWS: usize = 9;

/// The columns of a strip of the widest vectors.
pub(super) const WIDEST: usize = VECTORS * 16;

/// Factors of strips that pass by for each few rows: 384 KiB, which a core's second-level cache holds.
const CACHED: usize = 96 * 1024;

/// How many `f32` this processor's vectors hold.
pub(super) fn lanes() -> usize {
    arch().dispatch(Lanes)
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Whether products of so many columns, which should fill half a vector, are worth this kernel's while, and there are vectors.
pub(super) fn pays(columns: usize) -> bool {
    lanes() > 1 && 2 * columns >= lanes()
}

/// The columns of a strip.
pub(super) fn strip() -> usize {
    VECTORS * lanes()
}

/// The left matrix of a product.
#[derive(Clone, Copy)]
pub(super) struct Left<'a, F> {
    pub(super) values: &'a [F],
    /// Where each row starts among the values, and where its sums are to lie.
    pub(super) rows: &'a [[usize; 2]],
    /// Where, from a row's start, its factors lie.
    pub(super) steps: &'a [usize],
}

/// A right matrix, whose rows lie strip by strip of columns.
#[derive(Clone, Copy)]
pub(super) struct Right<'a, F> {
    values: &'a [F],
    columns: usize,
    /// Values from a row to the next.
    pitch: usize,
    /// Values from a strip to the next.
    apart: usize,
}

impl<'a, F: Factor> Right<'a, F> {
    /// The matrix that fills a slice row by row, if its columns fill vectors.
    pub(super) fn row_by_row(values: &'a [F], columns: usize) -> Option<Self> {
        Self::columns_of(values, columns, 0..columns)
    }

    /// Some columns of a matrix that fills a slice row by row, if they fill vectors.
    pub(super) fn columns_of(values: &'a [F], of_row: usize, columns: Range<usize>) -> Option<Self> {
        let (values, count) = (values.get(columns.start..).unwrap_or_default(), columns.len());
        count.is_multiple_of(lanes()).then(|| Self { values, columns: count, pitch: of_row, apart: strip() })
    }

    pub(super) fn values(self) -> &'a [F] {
        self.values
    }

    pub(super) fn columns(self) -> usize {
        self.columns
    }
}

/// A right matrix laid out strip by strip; columns that are not there have zeros.
#[derive(Default)]
pub(super) struct Strips<F> {
    values: Aligned<F>,
    depth: usize,
    columns: usize,
}

impl<F: Factor> Strips<F> {
    /// Lays out the matrix of so many rows and columns. `write` is given some columns of all rows, one after the other.
    pub(super) fn pack(shape: [usize; 2], write: impl Fn(Range<usize>, &mut [F]) + Send + Sync) -> Self {
        Self::pack_in_pieces(shape, shape[0], |columns, _, values| write(columns, values))
    }

    /// The same, but of so many rows `at_once`, of which `write` is told the first.
    fn pack_in_pieces(
        [depth, columns]: [usize; 2],
        at_once: usize,
        write: impl Fn(Range<usize>, usize, &mut [F]) + Send + Sync,
    ) -> Self {
        let width = strip();
        let lens = [columns.div_ceil(width) * depth * width, depth * width, at_once * width];
        let values = Aligned::in_pieces(lens, |strip, first, values| {
            write(strip * width..columns.min((strip + 1) * width), first / width, values);
        });
        Self { values, depth, columns }
    }

    /// The matrix of so many columns that fills a slice row by row.
    ///
    /// Each thread reads some rows, which are weights of some units, or numbers of some images: those that it writes elsewhere, and that are
    /// in its cache.
    pub(super) fn of_rows(rows: &[f32], columns: usize) -> Self {
        /// Pieces to a thread.
        const PIECES: usize = 2;
        let (width, of_factor) = (strip(), F::NUMBERS * columns.max(1));
        let depth = rows.len().div_ceil(of_factor);
        let at_once = depth.div_ceil(PIECES * threads());
        Self::pack_in_pieces([depth, columns], at_once, |range, first, values| {
            for (rows, values) in rows[first * of_factor..].chunks(of_factor).zip(values.chunks_exact_mut(width)) {
                let second = rows.get(columns..).filter(|row| !row.is_empty()).map_or(&[][..], |row| &row[range.clone()]);
                F::of_rows([&rows[range.clone()], second], &mut values[..range.len()]);
            }
        })
    }

    /// Some columns of a matrix, of so many, whose factors fill a slice row by row.
    pub(super) fn of_factors(rows: &[F], of_row: usize, columns: Range<usize>) -> Self {
        let (width, of_row) = (strip(), of_row.max(1));
        Self::pack([rows.len() / of_row, columns.len()], |range, values| {
            for (row, values) in rows.chunks_exact(of_row).zip(values.chunks_exact_mut(width)) {
                values[..range.len()].copy_from_slice(&row[columns.clone()][range.clone()]);
            }
        })
    }

    /// The matrix of so many rows and columns whose columns fill a slice one after the other.
    pub(super) fn of_columns(columns: &[f32], [depth, count]: [usize; 2]) -> Self {
        /// Factors of a column at a time: some cache lines, so that a processor guesses that more follow.
        const SIDE: usize = 64;
        let width = strip();
        Self::pack([depth.div_ceil(F::NUMBERS), count], |range, values| {
            let mut factors = [[F::default(); SIDE]; WIDEST];
            for (number, values) in values.chunks_mut(SIDE * width).enumerate() {
                let [start, end] = [number, number + 1].map(|number| depth.min(number * SIDE * F::NUMBERS));
                let of_column = (end - start).div_ceil(F::NUMBERS);
                for (factors, column) in factors.iter_mut().zip(range.clone()) {
                    F::of_numbers(&columns[column * depth..][start..end], &mut factors[..of_column]);
                }
                turn(factors.as_flattened(), [range.len(), of_column], [SIDE, width], values);
            }
        })
    }

    pub(super) fn right(&self) -> Right<'_, F> {
        let width = strip();
        let values = self.values.first(self.columns.div_ceil(width) * self.depth * width);
        Right { values, columns: self.columns, pitch: width, apart: self.depth * width }
    }
}

/// A right matrix laid out for products at some precision.
pub(super) enum Packed {
    Singles(Strips<f32>),
    Pairs(Strips<Pair>),
}

impl Packed {
    /// See [`Strips::of_rows`].
    pub(super) fn of_rows(precision: Precision, rows: &[f32], columns: usize) -> Self {
        match Pair::serve(precision) {
            true => Self::Pairs(Strips::of_rows(rows, columns)),
            false => Self::Singles(Strips::of_rows(rows, columns)),
        }
    }

    /// See [`Strips::of_columns`].
    pub(super) fn of_columns(precision: Precision, columns: &[f32], shape: [usize; 2]) -> Self {
        match Pair::serve(precision) {
            true => Self::Pairs(Strips::of_columns(columns, shape)),
            false => Self::Singles(Strips::of_columns(columns, shape)),
        }
    }

    /// The product of a matrix of so many rows and columns, row by row, with this one, and what is to become of it.
    pub(super) fn product(&self, shape: [usize; 2], values: &[f32], ending: Ending<f32>) -> Vec<f32> {
        match self {
            Self::Singles(strips) => product(shape, values, strips.right(), ending),
            Self::Pairs(strips) => product(shape, values, strips.right(), ending),
        }
    }
}

/// What is done to sums before they are written.
#[derive(Clone, Copy, Default)]
pub(super) struct Finish<'a> {
    /// Added to each row.
    pub(super) bias: Option<&'a [f32]>,
    /// Whether what is negative is written as 0.
    pub(super) rectified: bool,
}

impl<F: Factor> Left<'_, F> {
    /// Writes the sums of every row, as many as `right` has columns.
    ///
    /// # Panics
    /// If a slice is too short.
    pub(super) fn write(self, right: Right<F>, finish: Finish, out: &mut [MaybeUninit<f32>]) {
        let (out, room) = (out.as_mut_ptr().cast(), out.len());
        F::dispatch(Product { left: self, right, finish, adds: false, out, room });
    }

    /// Adds the sums of every row to what lies there.
    ///
    /// # Panics
    /// If a slice is too short.
    pub(super) fn add(self, right: Right<F>, out: &mut [f32]) {
        let (out, room) = (out.as_mut_ptr(), out.len());
        F::dispatch(Product { left: self, right, finish: Finish::default(), adds: true, out, room });
    }
}

fn product<F: Factor>([rows, depth]: [usize; 2], values: &[f32], right: Right<F>, ending: Ending<f32>) -> Vec<f32> {
    /// Rows of a part at least, and products, which are worth a thread's while.
    const LEAST: usize = 8;
    const PRODUCTS: usize = 1 << 20;
    /// Parts to a thread at most: the first one done takes of the other's.
    const PARTS: usize = 4;
    let width = right.columns;
    let factors = depth.div_ceil(F::NUMBERS);
    let steps: Vec<usize> = (0..factors).collect();
    let is_all = ending.is_plain();
    let finish = Finish { bias: ending.bias, rectified: is_all && ending.activation == Activation::Relu };
    let parts = (rows * depth * width / PRODUCTS).clamp(1, PARTS) * threads();
    let of_part = rows.div_ceil(parts).next_multiple_of(LEAST);
    let mut ys = Vec::with_capacity(rows * width);
    let parts = ys.spare_capacity_mut()[..rows * width].chunks_mut((of_part * width).max(1));
    for_each(parts.enumerate().collect(), |(number, ys)| {
        let (first, count) = (number * of_part, ys.len() / width);
        let values = factors_of_rows(&values[first * depth..(first + count) * depth], depth);
        let places: Vec<[usize; 2]> = (0..count).map(|row| [row * factors, row * width]).collect();
        Left { values: &values, rows: &places, steps: &steps }.write(right, finish, ys);
        if !is_all {
            // SAFETY: all columns of every row have been written.
            Ending { bias: None, ..ending }.finish(unsafe { ys.assume_init_mut() }, width, first * width);
        }
    });
    // SAFETY: the parts have all these values, and each has been written.
    unsafe { ys.set_len(rows * width) };
    ys
}

/// The factors of each row of so many numbers.
fn factors_of_rows<F: Factor>(rows: &[f32], depth: usize) -> Cow<'_, [F]> {
    if let Some(values) = F::in_place(rows) {
        return Cow::Borrowed(values);
    }
    let depth = depth.max(1);
    let of_row = depth.div_ceil(F::NUMBERS);
    let mut factors = vec![F::default(); rows.len() / depth * of_row];
    for (row, factors) in rows.chunks_exact(depth).zip(factors.chunks_exact_mut(of_row)) {
        F::of_numbers(row, factors);
    }
    Cow::Owned(factors)
}

/// A product on its way to `room` values, borrowed exclusively, which have been written if it adds to them.
struct Product<'a, F> {
    left: Left<'a, F>,
    right: Right<'a, F>,
    finish: Finish<'a>,
    adds: bool,
    out: *mut f32,
    room: usize,
}

impl<F: Factor> WithSimd for Product<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Left { values, rows, steps } = self.left;
        let Right { columns, pitch, apart, .. } = self.right;
        let [start, place] = rows.iter().fold([0; 2], |[a, b], [start, place]| [a.max(*start), b.max(*place)]);
        let furthest = steps.iter().copied().fold(0, usize::max);
        if rows.is_empty() || columns == 0 {
            return;
        }
        let width = VECTORS * S::F32_LANES;
        // The last strip may have one vector.
        let last = (columns - 1) / width;
        let end = last * apart + (columns - last * width).next_multiple_of(S::F32_LANES);
        let last_read = start.checked_add(furthest);
        assert!(steps.is_empty() || last_read.is_some_and(|last| last < values.len()), "numbers of the last row");
        assert!(steps.is_empty() || end + (steps.len() - 1) * pitch <= self.right.values.len(), "columns of the last row");
        assert!(place + columns <= self.room, "sums of the last row");
        assert!(self.finish.bias.is_none_or(|bias| bias.len() == columns), "a bias for each column");
        match self.adds {
            true => self.all::<S, true>(simd),
            false => self.all::<S, false>(simd),
        }
    }
}

/// Where the sums of some vectors of columns go, and what is added to them.
#[derive(Clone, Copy)]
struct End {
    bias: *const f32,
    out: *mut f32,
}

impl<F: Factor> Product<'_, F> {
    #[inline(always)]
    fn all<S: Simd, const ADDS: bool>(&self, simd: S) {
        let (rows, columns, width) = (self.left.rows, self.right.columns, VECTORS * S::F32_LANES);
        // So many rows as leave registers for the columns and a repeated number, and as evenly as may be.
        let most = if S::F32_LANES == 16 { ROWS } else { 6 };
        let most = rows.len().div_ceil(rows.len().div_ceil(most));
        // So many strips that they stay in a core's second-level cache while all rows pass by, and a row in the first-level one meanwhile.
        let at_once = (CACHED / (self.left.steps.len() * width).max(1)).max(1) * width;
        for first in (0..columns).step_by(at_once) {
            for rows in rows.chunks(most) {
                for column in (first..columns.min(first + at_once)).step_by(width) {
                    match columns - column > S::F32_LANES {
                        true => self.strip::<S, VECTORS, ADDS>(simd, rows, column),
                        false => self.strip::<S, 1, ADDS>(simd, rows, column),
                    }
                }
            }
        }
    }

    /// The sums of some rows for some vectors of columns, the last of which may not all be there.
    #[inline(always)]
    fn strip<S: Simd, const VECTORS: usize, const ADDS: bool>(&self, simd: S, rows: &[[usize; 2]], column: usize) {
        static NO_BIAS: [f32; WIDEST] = [0.0; WIDEST];
        let width = VECTORS * S::F32_LANES;
        let bias = self.finish.bias.map(|bias| &bias[column..]);
        let columns = self.right.columns - column;
        if columns >= width {
            let bias = bias.map_or(NO_BIAS.as_ptr(), <[f32]>::as_ptr);
            // SAFETY: the last row's columns were asserted to have room, and a bias each; those of a strip without are as many as the
            // widest has.
            unsafe { self.rows::<S, VECTORS, ADDS>(simd, rows, column, End { bias, out: self.out.add(column) }) };
            return;
        }
        let (mut padded, mut sums) = (NO_BIAS, [[0.0; WIDEST]; ROWS]);
        if let Some(bias) = bias {
            padded[..columns].copy_from_slice(bias);
        }
        let mut places = [[0; 2]; ROWS];
        places.iter_mut().zip(rows).enumerate().for_each(|(row, (place, [start, _]))| *place = [*start, row * WIDEST]);
        let end = End { bias: padded.as_ptr(), out: sums.as_flattened_mut().as_mut_ptr() };
        // SAFETY: there is room for as many rows as are taken at once, each as wide as the widest strip.
        unsafe { self.rows::<S, VECTORS, ADDS>(simd, &places[..rows.len()], column, end) };
        for ([_, place], sums) in rows.iter().zip(&sums) {
            // SAFETY: the last row's columns were asserted to have room, what is there is borrowed exclusively, and it has been
            // written if it is read.
            unsafe {
                let out = self.out.add(place + column);
                for (at, sum) in sums[..columns].iter().enumerate() {
                    let before = if ADDS { out.add(at).read() } else { 0.0 };
                    out.add(at).write(before + sum);
                }
            }
        }
    }

    /// # Safety
    /// As of [`block`](Self::block).
    #[inline(always)]
    unsafe fn rows<S: Simd, const VECTORS: usize, const ADDS: bool>(
        &self,
        simd: S,
        rows: &[[usize; 2]],
        column: usize,
        end: End,
    ) {
        // SAFETY: the caller's.
        unsafe {
            match rows.len() {
                1 => self.block::<S, 1, VECTORS, ADDS>(simd, rows, column, end),
                2 => self.block::<S, 2, VECTORS, ADDS>(simd, rows, column, end),
                3 => self.block::<S, 3, VECTORS, ADDS>(simd, rows, column, end),
                4 => self.block::<S, 4, VECTORS, ADDS>(simd, rows, column, end),
                5 => self.block::<S, 5, VECTORS, ADDS>(simd, rows, column, end),
                6 => self.block::<S, 6, VECTORS, ADDS>(simd, rows, column, end),
                7 => self.block::<S, 7, VECTORS, ADDS>(simd, rows, column, end),
                8 => self.block::<S, 8, VECTORS, ADDS>(simd, rows, column, end),
                9 => self.block::<S, 9, VECTORS, ADDS>(simd, rows, column, end),
                _ => unreachable!("there are registers for nine"),
            }
        }
    }

    /// The sums of some rows for some vectors of columns.
    ///
    /// # Safety
    /// At the end there has to be a bias for each of these columns and, at each row's place, room for them, which has been written if it is
    /// added to.
    #[inline(always)]
    unsafe fn block<S: Simd, const ROWS: usize, const VECTORS: usize, const ADDS: bool>(
        &self,
        simd: S,
        rows: &[[usize; 2]],
        column: usize,
        end: End,
    ) {
        let (left, lanes) = (&self.left, S::F32_LANES);
        // No closure, which would be a call, compiled without the vectors' instructions.
        let mut from = [left.values.as_ptr(); ROWS];
        for (from, [start, _]) in from.iter_mut().zip(rows) {
            *from = from.wrapping_add(*start);
        }
        let mut right = self.right.values[column / (self::VECTORS * lanes) * self.right.apart..].as_ptr();
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        const { assert!(size_of::<F>() == size_of::<f32>()) }
        for step in left.steps {
            // SAFETY: the right matrix was asserted to have so many rows of these vectors, of factors as large as `f32`.
            let columns: [S::f32s; VECTORS] =
                std::array::from_fn(|vector| unsafe { right.add(vector * lanes).cast::<S::f32s>().read_unaligned() });
            for (from, sums) in from.iter().zip(&mut sums) {
                // SAFETY: no step is further than the furthest, which of the last row was asserted to be there.
                let factor = unsafe { *from.add(*step) };
                for (sum, columns) in sums.iter_mut().zip(columns) {
                    *sum = F::multiply_add(simd, factor, columns, *sum);
                }
            }
            right = right.wrapping_add(self.right.pitch);
        }
        // What is not negative, or anything.
        let least = simd.splat_f32s(if self.finish.rectified { 0.0 } else { f32::NEG_INFINITY });
        #[allow(clippy::needless_range_loop, reason = "an iterator borrows the sums, which leave their registers for that")]
        for vector in 0..VECTORS {
            // SAFETY: there is a bias for each column.
            let bias = unsafe { end.bias.add(vector * lanes).cast::<S::f32s>().read_unaligned() };
            for row in 0..ROWS {
                // SAFETY: there is room at each place, which has been written if it is read.
                unsafe {
                    let out = end.out.add(rows[row][1] + vector * lanes).cast::<S::f32s>();
                    let sum = match ADDS {
                        true => simd.add_f32s(sums[row][vector], out.read_unaligned()),
                        // Of not a number and another, `max` is not a number if that is the second.
                        false => simd.max_f32s(least, simd.add_f32s(sums[row][vector], bias)),
                    };
                    out.write_unaligned(sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::factor::tests::rounded;
    use crate::kernels::share::alone;
    use crate::testing::numbers;

    /// Checks a product of scattered rows, written and added, against sums in `f64`.
    fn agrees([rows, depth, columns]: [usize; 3]) {
        let (values, right) = (numbers::<f32>(rows * 3 + depth * 5, 1), numbers::<f32>(depth * columns, 2));
        let bias = numbers::<f32>(columns, 3);
        let places: Vec<[usize; 2]> = (0..rows).map(|row| [row * 3, (rows - 1 - row) * (columns + 1)]).collect();
        let steps: Vec<usize> = (0..depth).map(|k| (depth - 1 - k) * 5).collect();
        let left = Left { values: &values, rows: &places, steps: &steps };
        let sum = |row: usize, column: usize| -> f64 {
            (0..depth).map(|k| f64::from(values[row * 3 + steps[k]]) * f64::from(right[k * columns + column])).sum()
        };
        let packed = Strips::<f32>::of_rows(&right, columns);
        let turned: Vec<f32> = (0..depth * columns).map(|at| right[at % depth * columns + at / depth]).collect();
        let from_columns = Strips::of_columns(&turned, [depth, columns]);
        for right in [Some(packed.right()), Some(from_columns.right()), Right::row_by_row(&right, columns)].into_iter().flatten()
        {
            let mut written = vec![MaybeUninit::new(7.0); rows * (columns + 1)];
            left.write(right, Finish { bias: Some(&bias), rectified: true }, &mut written);
            let mut added = vec![1.0; rows * (columns + 1)];
            left.add(right, &mut added);
            for (row, [_, place]) in places.iter().enumerate() {
                for column in 0..=columns {
                    // SAFETY: it was made of written values.
                    let (written, added) = (unsafe { written[place + column].assume_init() }, added[place + column]);
                    if column == columns {
                        assert!(written == 7.0 && added == 1.0, "between rows nothing is written");
                        continue;
                    }
                    let exact = sum(row, column);
                    assert!((f64::from(added) - 1.0 - exact).abs() < 1e-5);
                    assert!((f64::from(written) - (exact + f64::from(bias[column])).max(0.0)).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn scattered_rows_have_the_products_of_gathered_ones() {
        if lanes() == 1 {
            return;
        }
        for rows in [1, 2, 5, 8, 9, 17, 31] {
            for depth in [1, 2, 27, 64] {
                for columns in [1, 8, 10, 16, 17, 32, 33, 48, 64, 70] {
                    agrees([rows, depth, columns]);
                }
            }
        }
    }

    #[test]
    fn products_of_pairs_are_those_of_rounded_numbers() {
        if !Pair::serve(Precision::Bf16) {
            return;
        }
        for [rows, depth, columns] in [[1, 1, 8], [5, 7, 33], [19, 64, 70], [40, 129, 16]] {
            let (left, right) = (numbers::<f32>(rows * depth, 1), numbers::<f32>(depth * columns, 2));
            let turned: Vec<f32> = (0..depth * columns).map(|at| right[at % depth * columns + at / depth]).collect();
            let bias = numbers::<f32>(columns, 3);
            let ending = Ending { bias: Some(&bias), ..Ending::default() };
            let of_rows = Packed::of_rows(Precision::Bf16, &right, columns);
            let of_columns = Packed::of_columns(Precision::Bf16, &turned, [depth, columns]);
            for packed in [of_rows, of_columns] {
                assert!(matches!(packed, Packed::Pairs(_)));
                let found = packed.product([rows, depth], &left, ending);
                assert_eq!(alone(|| packed.product([rows, depth], &left, ending)), found, "by one thread");
                for (at, found) in found.into_iter().enumerate() {
                    let (row, column) = (at / columns, at % columns);
                    let product = |k: usize| rounded(left[row * depth + k]) * rounded(right[k * columns + column]);
                    let exact = f64::from(bias[column]) + (0..depth).map(|k| f64::from(product(k))).sum::<f64>();
                    assert!((f64::from(found) - exact).abs() < 1e-5, "{found}, exactly {exact}");
                }
            }
        }
    }

    #[test]
    fn an_empty_sum_is_the_bias() {
        if lanes() == 1 {
            return;
        }
        let mut out = [MaybeUninit::new(7.0); 2];
        let right = Strips::<f32>::of_rows(&[], 2);
        let left = Left { values: &[], rows: &[[0, 0]], steps: &[] };
        left.write(right.right(), Finish { bias: Some(&[1.0, -1.0]), rectified: true }, &mut out);
        // SAFETY: it was made of written values.
        assert_eq!(out.map(|value| unsafe { value.assume_init() }), [1.0, 0.0]);
    }

    #[test]
    fn slices_that_are_too_short_are_refused() {
        if lanes() == 1 {
            return;
        }
        let right = Strips::<f32>::of_rows(&[1.0; 32], 16);
        let refused = |values: usize, steps: &[usize], room: usize| {
            let product = || {
                let values = vec![0.0; values];
                let left = Left { values: &values, rows: &[[1, 2]], steps };
                left.add(right.right(), &mut vec![0.0; room]);
            };
            std::panic::catch_unwind(product).is_err()
        };
        assert!(!refused(5, &[0, 3], 18));
        assert!(refused(4, &[0, 3], 18));
        assert!(refused(5, &[0, 3], 17));
        assert!(refused(5, &[0, 3, 1], 18));
    }
}
