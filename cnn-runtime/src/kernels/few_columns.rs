//! Products of a few rows with a large matrix that changes from one product to the next: dense layers in training.
//!
//! To lay the matrix out for [products](super::gathered) takes about as long as a product of some tens of rows. So it is the left
//! matrix here, multiplied where it lies. The few rows are the columns of the right one, and the product is transposed at the end.

use super::fill::in_chunks;
use super::gathered::{self, Finish, Left, Right, Strips};
use super::share::{new_in_chunks, threads};
use super::turn::turn;
use super::weighted::Ending;
use std::mem::MaybeUninit;

/// A matrix that lies row by row or column by column.
#[derive(Clone, Copy)]
pub(super) struct Large<'a> {
    values: &'a [f32],
    /// Its rows and columns.
    shape: [usize; 2],
    /// Values from a row to the next, and from a column to the next.
    apart: [usize; 2],
}

impl<'a> Large<'a> {
    /// The matrix of so many rows and columns that fills a slice row by row.
    pub(super) fn new(values: &'a [f32], shape: [usize; 2]) -> Self {
        Self { values, shape, apart: [shape[1], 1] }
    }

    /// Its transpose.
    pub(super) fn turned(self) -> Self {
        let Self { values, shape: [rows, columns], apart: [of_row, of_column] } = self;
        Self { values, shape: [columns, rows], apart: [of_column, of_row] }
    }

    /// The transpose of its product with a matrix of `count` columns, which fills a slice row by row, and what is to become of it. The
    /// bias has a number for each row of this matrix.
    pub(super) fn product(self, columns: &[f32], count: usize, ending: Ending<f32>) -> Vec<f32> {
        /// Parts to a thread: the first one done takes of the other's.
        const PARTS: usize = 4;
        let Self { values, shape: [rows, depth], apart: [of_row, of_column] } = self;
        let packed;
        let right = match Right::row_by_row(columns, count) {
            Some(right) => right,
            None => {
                packed = Strips::of_rows(columns, count);
                packed.right()
            }
        };
        let steps: Vec<usize> = (0..depth).map(|column| column * of_column).collect();
        let of_part = rows.div_ceil(PARTS * threads()).next_multiple_of(gathered::ROWS);
        let write = |places: &mut Vec<[usize; 2]>, part: usize, sums: &mut [MaybeUninit<f32>]| {
            let first = part * of_part;
            *places = (0..sums.len() / count).map(|row| [(first + row) * of_row, row * count]).collect();
            Left { values, rows: places, steps: &steps }.write(right, Finish::default(), sums);
        };
        // SAFETY: the sums of every row of a part are written, for all columns.
        let sums = unsafe { new_in_chunks(rows * count, of_part * count, 0, write) };
        transpose_and(&sums, count, |ys, first| ending.finish(ys, rows, first))
    }
}

/// The transpose of a matrix of so many columns.
pub(super) fn transpose(values: &[f32], columns: usize) -> Vec<f32> {
    transpose_and(values, columns, |_, _| {})
}

/// The same; `finish` is given some rows of the transpose at a time, with the place of their first value.
fn transpose_and(values: &[f32], columns: usize, finish: impl Fn(&mut [f32], usize) + Sync) -> Vec<f32> {
    /// Columns at a time.
    const SIDE: usize = 64;
    let columns = columns.max(1);
    let rows = values.len() / columns;
    in_chunks(values.len(), SIDE * rows, |number, to| {
        turn(&values[number * SIDE..], [rows, to.len() / rows], [columns, rows], to);
        finish(to, number * SIDE * rows);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Precision;
    use crate::kernels::gathered::{Packed, lanes};
    use crate::kernels::share::{alone, in_pairs};
    use crate::spec::Activation;
    use crate::testing::numbers;

    #[test]
    fn products_are_to_the_bit_those_of_a_matrix_that_is_laid_out() {
        if lanes() == 1 {
            return;
        }
        for (count, depth, rows) in [(16, 30, 40), (8, 7, 5), (33, 65, 100), (64, 1, 1), (20, 100, 19)] {
            let (xs, weight, bias) = (numbers(count * depth, 1), numbers(rows * depth, 2), numbers(rows, 3));
            let ending = Ending { bias: Some(&bias), activation: Activation::Relu, ..Ending::default() };
            let columns = transpose(&xs, depth);
            let expected = Packed::of_columns(Precision::F32, &weight, [depth, rows]).product([count, depth], &xs, ending);
            for matrix in [Large::new(&weight, [rows, depth]), Large::new(&transpose(&weight, depth), [depth, rows]).turned()] {
                let found = matrix.product(&columns, count, ending);
                assert_eq!(found, expected, "{count} rows with {rows}×{depth}");
                assert_eq!(alone(|| matrix.product(&columns, count, ending)), expected);
                assert_eq!(in_pairs(|| matrix.product(&columns, count, ending)), expected);
            }
        }
    }
}
