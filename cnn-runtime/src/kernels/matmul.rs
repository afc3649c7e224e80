//! Matrix products: the `gemm` crate behind a safe function.

use super::real::Real;
use super::share;
use gemm::Parallelism;
use std::mem::MaybeUninit;

/// A matrix that lies somewhere in a slice.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// The matrix whose rows lie one after the other, `row_stride` elements apart.
    pub(crate) fn strided(values: &'a [T], rows: usize, columns: usize, row_stride: usize) -> Self {
        let end = end(rows, columns, row_stride, 1);
        assert!(end <= values.len(), "{rows}×{columns} matrix in {} values", values.len());
        Self { values, rows, columns, row_stride, column_stride: 1 }
    }

    /// The matrix that fills a slice row by row.
    pub(crate) fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// Rows for columns.
    pub(crate) fn transposed(self) -> Self {
        let Self { values, rows, columns, row_stride, column_stride } = self;
        Self { values, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }
}

/// One past the last element of a matrix with these strides.
fn end(rows: usize, columns: usize, row_stride: usize, column_stride: usize) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row_stride + (columns - 1) * column_stride + 1 }
}

/// What becomes of the values that a product is written over.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Into {
    /// They are replaced.
    Replace,
    /// The product is added to them.
    Add,
}

/// Who computes a product.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Threads {
    /// The thread that asks, because the others are busy with products of their own.
    One,
    /// All of them.
    All,
}

/// `out = lhs·rhs` or `out += lhs·rhs`, for an `out` whose rows are `row_stride` elements apart.
pub(crate) fn matmul<T: Real>(out: &mut [T], row_stride: usize, into: Into, lhs: Matrix<T>, rhs: Matrix<T>, threads: Threads) {
    check(out.len(), row_stride, lhs, rhs);
    // SAFETY: `check` passed, and every value of `out` may be read.
    unsafe { product(out.as_mut_ptr(), row_stride, into, lhs, rhs, threads) }
}

/// `out = lhs·rhs` for an `out` that nothing has been written to; afterwards its rows, `row_stride` elements apart, have.
pub(crate) fn matmul_new<T: Real>(
    out: &mut [MaybeUninit<T>],
    row_stride: usize,
    lhs: Matrix<T>,
    rhs: Matrix<T>,
    threads: Threads,
) {
    check(out.len(), row_stride, lhs, rhs);
    // SAFETY: `check` passed, and a product that replaces what it is written over does not read it.
    unsafe { product(out.as_mut_ptr().cast(), row_stride, Into::Replace, lhs, rhs, threads) }
}

/// That a product fits where it is to be written, without rows that overlap.
fn check<T>(len: usize, row_stride: usize, lhs: Matrix<T>, rhs: Matrix<T>) {
    let (rows, columns) = (lhs.rows, rhs.columns);
    assert_eq!(lhs.columns, rhs.rows, "the inner sizes of a product");
    assert!(columns <= row_stride || rows <= 1, "rows of {columns} elements, {row_stride} apart");
    assert!(end(rows, columns, row_stride, 1) <= len, "{rows}×{columns} product in {len} values");
}

/// Calls `gemm`.
///
/// # Safety
/// `check` must have passed for the exclusively borrowed values at `out`; unless they are to be replaced, they must have
/// been written.
unsafe fn product<T: Real>(out: *mut T, row_stride: usize, into: Into, lhs: Matrix<T>, rhs: Matrix<T>, threads: Threads) {
    if lhs.rows == 0 || rhs.columns == 0 {
        return;
    }
    /// Products that take one thread less time than it takes several to share them.
    const FEW: usize = 4 * 1024 * 1024;
    let are_few = lhs.rows.saturating_mul(lhs.columns).saturating_mul(rhs.columns) < FEW;
    let parallelism = match threads {
        Threads::All if share::threads() > 1 && !are_few => Parallelism::Rayon(rayon::current_num_threads()),
        Threads::One | Threads::All => Parallelism::None,
    };
    // SAFETY: every element that `lhs` and `rhs` address lies in their slices, as `Matrix::strided` asserted (transposing
    // keeps the elements); those of `out` do by `check`. `out` is borrowed exclusively, so it overlaps neither, and its
    // rows do not overlap each other.
    unsafe {
        gemm::gemm(
            lhs.rows,
            rhs.columns,
            lhs.columns,
            out,
            1,
            row_stride as isize,
            into == Into::Add,
            lhs.values.as_ptr(),
            lhs.column_stride as isize,
            lhs.row_stride as isize,
            rhs.values.as_ptr(),
            rhs.column_stride as isize,
            rhs.row_stride as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiplies_strided_and_transposed_matrices() {
        let values: Vec<f64> = (0..12).map(f64::from).collect();
        let lhs = Matrix::strided(&values, 2, 3, 4);
        let rhs = Matrix::new(&values[..6], 2, 3).transposed();
        let mut out = vec![1.0; 6];
        matmul(&mut out, 3, Into::Add, lhs, rhs, Threads::One);
        assert_eq!(out, [6.0, 15.0, 1.0, 18.0, 63.0, 1.0]);
        matmul(&mut out, 2, Into::Replace, lhs, rhs, Threads::All);
        assert_eq!(out[..4], [5.0, 14.0, 17.0, 62.0]);
    }

    #[test]
    fn writes_every_value_of_a_new_product_and_no_other() {
        let mut out = [MaybeUninit::new(7.0); 6];
        let ones = [1f64; 6];
        matmul_new(&mut out, 3, Matrix::new(&ones, 2, 3), Matrix::new(&ones, 3, 2), Threads::One);
        // SAFETY: all six were written before the product.
        let out = out.map(|value| unsafe { value.assume_init() });
        assert_eq!(out, [3.0, 3.0, 7.0, 3.0, 3.0, 7.0]);
    }

    #[test]
    #[should_panic(expected = "matrix in 5 values")]
    fn refuses_a_matrix_larger_than_its_slice() {
        Matrix::new(&[0f32; 5], 2, 3);
    }

    #[test]
    #[should_panic(expected = "product in 3 values")]
    fn refuses_a_product_larger_than_its_slice() {
        let values = [0f32; 4];
        matmul(&mut [0.0; 3], 2, Into::Replace, Matrix::new(&values, 2, 2), Matrix::new(&values, 2, 2), Threads::One);
    }
}
