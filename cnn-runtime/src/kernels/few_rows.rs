//! Products of a few rows with many weights: a single image in dense layers and in convolutions of few pixels.
//!
//! Such a product takes about as long as reading its weights. So they pass by once, in the order in which they lie, while the sums
//! of all rows for some columns stay in registers, side by side, which need no adding up within a register.

use super::aligned::Aligned;
use super::gathered;
use super::share::{for_each, threads};
use super::simd::arch;
use super::weighted::Ending;
use pulp::{Simd, WithSimd};

/// The most rows that this pays for: from then on tiles, where there are some, are as quick.
pub(super) const ROWS: usize = 6;

/// Rows whose sums are in registers at once on processors with narrower vectors, of which they have fewer.
const ROWS_OF_FEW: usize = 2;

/// Vectors of columns whose sums are in registers at once, unless there is no more than one.
const VECTORS: usize = 4;

/// A matrix in groups of columns, in each of which rows follow each other; columns that are not there have zeros.
pub(super) struct Columns {
    values: Aligned<f32>,
    depth: usize,
    columns: usize,
    /// Columns of a group.
    width: usize,
}

impl Columns {
    /// Lays out the matrix of so many rows and columns whose values are `at(row, column)`.
    pub(super) fn pack([depth, columns]: [usize; 2], at: impl Fn(usize, usize) -> f32) -> Self {
        let lanes = gathered::lanes();
        let width = if columns <= lanes { lanes } else { VECTORS * lanes };
        let mut values = Aligned::default();
        for (group, values) in values.take(columns.div_ceil(width) * depth * width).chunks_exact_mut(depth * width).enumerate() {
            for (row, values) in values.chunks_exact_mut(width).enumerate() {
                let columns = group * width..columns.min((group + 1) * width);
                values.iter_mut().zip(columns).for_each(|(value, column)| *value = at(row, column));
            }
        }
        Self { values, depth, columns, width }
    }

    /// The product of a matrix of a few rows with this one, both row by row, and what is to become of it.
    pub(super) fn product(&self, lhs: &[f32], ending: Ending<f32>) -> Vec<f32> {
        let &Self { depth, columns, width, .. } = self;
        let rows = lhs.len() / depth;
        if rows == 0 {
            return Vec::new();
        }
        let groups = columns.div_ceil(width);
        let weights = self.values.first(groups * depth * width);
        // Group after group the sums of each row: for one row, its values in order.
        let mut sums = vec![0.0; groups * rows * width];
        // As many parts as threads, so that each finds its weights in its cache again.
        let of_part = groups.div_ceil(threads()).max(1);
        let parts = sums.chunks_mut(of_part * rows * width).zip(weights.chunks(of_part * depth * width));
        for_each(parts.collect(), |(sums, weights)| arch().dispatch(Groups { lhs, depth, width, weights, sums }));
        if rows == 1 {
            sums.truncate(columns);
            ending.finish(&mut sums, columns, 0);
            return sums;
        }
        let mut ys = vec![0.0; rows * columns];
        for (row, ys) in ys.chunks_exact_mut(columns).enumerate() {
            for (ys, sums) in ys.chunks_mut(width).zip(sums[row * width..].chunks(rows * width)) {
                ys.copy_from_slice(&sums[..ys.len()]);
            }
        }
        ending.finish(&mut ys, columns, 0);
        ys
    }
}

/// Some groups of columns, and the sums of every row for each.
struct Groups<'a> {
    lhs: &'a [f32],
    depth: usize,
    width: usize,
    weights: &'a [f32],
    sums: &'a mut [f32],
}

impl WithSimd for Groups<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.width > S::F32_LANES {
            true => self.add_up::<S, VECTORS, 2>(simd),
            false => self.add_up::<S, 1, 4>(simd),
        }
    }
}

impl Groups<'_> {
    /// The sums of every row, for groups of so many vectors. A single row has several sums for each column, of which none waits for the
    /// one before: so many as rows of the matrix are multiplied at once.
    #[inline(always)]
    fn add_up<S: Simd, const WIDE: usize, const AT_ONCE: usize>(self, simd: S) {
        let Self { lhs, depth, width, weights, sums } = self;
        let most = if S::F32_LANES == 16 { ROWS } else { ROWS_OF_FEW };
        let of_group = lhs.len() / depth * width;
        for (weights, sums) in weights.chunks_exact(depth * width).zip(sums.chunks_exact_mut(of_group)) {
            for (lhs, sums) in lhs.chunks(most * depth).zip(sums.chunks_mut(most * width)) {
                match lhs.len() / depth {
                    1 => add_up::<S, 1, WIDE, AT_ONCE>(simd, lhs, weights, sums),
                    2 => add_up::<S, 2, WIDE, 1>(simd, lhs, weights, sums),
                    3 => add_up::<S, 3, WIDE, 1>(simd, lhs, weights, sums),
                    4 => add_up::<S, 4, WIDE, 1>(simd, lhs, weights, sums),
                    5 => add_up::<S, 5, WIDE, 1>(simd, lhs, weights, sums),
                    6 => add_up::<S, 6, WIDE, 1>(simd, lhs, weights, sums),
                    _ => unreachable!("there are registers for six"),
                }
            }
        }
    }
}

/// The sums of some rows for one group of columns.
#[inline(always)]
fn add_up<S: Simd, const COUNT: usize, const WIDE: usize, const AT_ONCE: usize>(
    simd: S,
    lhs: &[f32],
    weights: &[f32],
    out: &mut [f32],
) {
    let depth = lhs.len() / COUNT;
    let rows: [&[f32]; COUNT] = std::array::from_fn(|row| &lhs[row * depth..][..depth]);
    let (weights, _) = S::as_simd_f32s(weights);
    let mut sums = [[[simd.splat_f32s(0.0); WIDE]; AT_ONCE]; COUNT];
    let mut pieces = weights.chunks_exact(AT_ONCE * WIDE);
    for (number, weights) in pieces.by_ref().enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows) {
            let values = &row[number * AT_ONCE..][..AT_ONCE];
            for at in 0..AT_ONCE {
                let value = simd.splat_f32s(values[at]);
                for vector in 0..WIDE {
                    sums[at][vector] = simd.mul_add_f32s(value, weights[at * WIDE + vector], sums[at][vector]);
                }
            }
        }
    }
    // Rows of the matrix that are fewer than are multiplied at once.
    let rest = pieces.remainder();
    for (sums, row) in sums.iter_mut().zip(rows) {
        let values = &row[depth - rest.len() / WIDE..];
        for ((sums, weights), value) in sums.iter_mut().zip(rest.chunks_exact(WIDE)).zip(values) {
            for vector in 0..WIDE {
                sums[vector] = simd.mul_add_f32s(simd.splat_f32s(*value), weights[vector], sums[vector]);
            }
        }
    }
    let (out, _) = S::as_mut_simd_f32s(out);
    for (out, sums) in out.chunks_exact_mut(WIDE).zip(&sums) {
        out.copy_from_slice(&sums[0]);
        for sums in &sums[1..] {
            for vector in 0..WIDE {
                out[vector] = simd.add_f32s(out[vector], sums[vector]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::share::{alone, in_pairs};
    use crate::spec::Activation;

    #[test]
    fn products_are_those_of_rows_and_columns_however_many_threads_there_are() {
        for (depth, columns) in [(1, 1), (7, 64), (33, 65), (40, 200), (3, 31), (33, 10), (6, 16), (2, 5)] {
            for rows in 1..=2 * ROWS {
                let lhs: Vec<f32> = (0..rows * depth).map(|i| (i * i % 23) as f32 - 11.0).collect();
                let rhs = |row: usize, column: usize| ((row * 31 + column * 17) % 29) as f32 - 14.0;
                let bias: Vec<f32> = (0..columns).map(|column| column as f32).collect();
                let added: Vec<f32> = (0..rows * columns).map(|at| at as f32 / 8.0).collect();
                let activation = Activation::Relu;
                let ending = Ending { bias: Some(&bias), added: Some(&added), activation, ..Ending::default() };
                let expected: Vec<f32> = (0..rows * columns)
                    .map(|at| {
                        let (row, column) = (at / columns, at % columns);
                        let sum: f32 = (0..depth).map(|k| lhs[row * depth + k] * rhs(k, column)).sum();
                        (sum + bias[column] + added[at]).max(0.0)
                    })
                    .collect();
                let matrix = Columns::pack([depth, columns], rhs);
                assert_eq!(matrix.product(&lhs, ending), expected, "{rows}×{depth} with {columns} columns");
                assert_eq!(alone(|| matrix.product(&lhs, ending)), expected);
                assert_eq!(in_pairs(|| matrix.product(&lhs, ending)), expected);
            }
        }
    }
}
