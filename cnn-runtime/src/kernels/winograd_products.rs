//! Products of matrices at the points of Winograd's minimal filtering.
//!
//! They are small, and many: the sums of some rows, for as many columns as two vectors hold, stay in registers while the right matrix passes
//! by. Rows are equally far from each other, unlike [scattered ones](super::gathered), with whose places convolutions of 16 and 32 channels
//! took a tenth longer.

use pulp::Simd;

/// Vectors of columns whose sums are in registers at once.
const VECTORS: usize = 2;

/// A product of matrices that lie among others' values.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub(super) rows: usize,
    /// Columns, which fill vectors.
    pub(super) columns: usize,
    /// Numbers of a row of the left matrix.
    pub(super) depth: usize,
    /// Values of the left matrix from a row to the next, and from a number of a row to the next.
    pub(super) left: [usize; 2],
    /// Values of the right matrix, and of the sums, from a row to the next.
    pub(super) pitch: usize,
}

impl Product {
    /// Writes the sums, or adds them to what lies there.
    ///
    /// # Panics
    /// If a slice is too short.
    #[inline(always)]
    pub(super) fn compute<S: Simd, const ADDS: bool>(self, simd: S, left: &[f32], right: &[f32], sums: &mut [f32]) {
        let Self { rows, columns, depth, left: [row, step], pitch } = self;
        if rows * columns * depth == 0 {
            return if !ADDS {
                sums.fill(0.0)
            };
        }
        assert!(columns.is_multiple_of(S::F32_LANES) && columns <= pitch, "columns that fill vectors");
        assert!((rows - 1) * row + (depth - 1) * step < left.len(), "numbers of the last row");
        assert!((depth - 1) * pitch + columns <= right.len(), "columns of the last row");
        assert!((rows - 1) * pitch + columns <= sums.len(), "room for the sums of the last row");
        for column in (0..columns).step_by(VECTORS * S::F32_LANES) {
            // SAFETY: as many numbers, columns and sums were asserted to be there.
            unsafe {
                let (left, right, sums) = (left.as_ptr(), right.as_ptr().add(column), sums.as_mut_ptr().add(column));
                match columns - column > S::F32_LANES {
                    true => self.strip::<S, VECTORS, ADDS>(simd, left, right, sums),
                    false => self.strip::<S, 1, ADDS>(simd, left, right, sums),
                }
            }
        }
    }

    /// The sums of all rows for some vectors of columns.
    ///
    /// # Safety
    /// As of [`block`](Self::block).
    #[inline(always)]
    unsafe fn strip<S: Simd, const VECTORS: usize, const ADDS: bool>(
        self,
        simd: S,
        mut left: *const f32,
        right: *const f32,
        mut sums: *mut f32,
    ) {
        // So many rows as leave registers for the columns and a repeated number.
        let most = if S::F32_LANES == 16 { 8 } else { 6 };
        // SAFETY: the caller's.
        unsafe {
            for _ in 0..self.rows / most {
                match most {
                    8 => self.block::<S, 8, VECTORS, ADDS>(simd, left, right, sums),
                    _ => self.block::<S, 6, VECTORS, ADDS>(simd, left, right, sums),
                }
                (left, sums) = (left.wrapping_add(most * self.left[0]), sums.wrapping_add(most * self.pitch));
            }
            match self.rows % most {
                0 => (),
                1 => self.block::<S, 1, VECTORS, ADDS>(simd, left, right, sums),
                2 => self.block::<S, 2, VECTORS, ADDS>(simd, left, right, sums),
                3 => self.block::<S, 3, VECTORS, ADDS>(simd, left, right, sums),
                4 => self.block::<S, 4, VECTORS, ADDS>(simd, left, right, sums),
                5 => self.block::<S, 5, VECTORS, ADDS>(simd, left, right, sums),
                6 => self.block::<S, 6, VECTORS, ADDS>(simd, left, right, sums),
                7 => self.block::<S, 7, VECTORS, ADDS>(simd, left, right, sums),
                _ => unreachable!("eight or fewer are taken at once"),
            }
        }
    }

    /// The sums of some rows for some vectors of columns.
    ///
    /// # Safety
    /// There have to be so many rows, numbers of each, and columns.
    #[inline(always)]
    unsafe fn block<S: Simd, const ROWS: usize, const VECTORS: usize, const ADDS: bool>(
        self,
        simd: S,
        left: *const f32,
        mut right: *const f32,
        to: *mut f32,
    ) {
        let Self { depth, left: [row, step], pitch, .. } = self;
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for at in 0..depth {
            let mut columns = [simd.splat_f32s(0.0); VECTORS];
            for (vector, columns) in columns.iter_mut().enumerate() {
                // SAFETY: the caller's.
                *columns = unsafe { right.add(vector * S::F32_LANES).cast::<S::f32s>().read_unaligned() };
            }
            for (number, sums) in sums.iter_mut().enumerate() {
                // SAFETY: the caller's.
                let factor = simd.splat_f32s(unsafe { *left.add(number * row + at * step) });
                for (sum, columns) in sums.iter_mut().zip(columns) {
                    *sum = simd.mul_add_f32s(factor, columns, *sum);
                }
            }
            right = right.wrapping_add(pitch);
        }
        for (number, sums) in sums.into_iter().enumerate() {
            for (vector, sum) in sums.into_iter().enumerate() {
                // SAFETY: the caller's; what is added to has been written.
                unsafe {
                    let to = to.add(number * pitch + vector * S::F32_LANES).cast::<S::f32s>();
                    to.write_unaligned(if ADDS { simd.add_f32s(sum, to.read_unaligned()) } else { sum });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::gathered::lanes;
    use crate::kernels::simd::arch;
    use crate::testing::numbers;
    use pulp::WithSimd;

    struct Both<'a>(Product, &'a [f32], &'a [f32], [&'a mut [f32]; 2]);

    impl WithSimd for Both<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self(product, left, right, [written, added]) = self;
            product.compute::<S, false>(simd, left, right, written);
            product.compute::<S, true>(simd, left, right, added);
        }
    }

    fn agrees(product: Product) {
        let Product { rows, columns, depth, left: [row, step], pitch } = product;
        let (left, right) = (numbers::<f32>(rows * row + depth * step, 1), numbers::<f32>(depth * pitch, 2));
        let (mut written, mut added) = (vec![7.0; rows * pitch], vec![1.0; rows * pitch]);
        arch().dispatch(Both(product, &left, &right, [&mut written, &mut added]));
        for at in 0..rows * pitch {
            let (number, column) = (at / pitch, at % pitch);
            if column >= columns {
                assert!(written[at] == 7.0 && added[at] == 1.0, "between rows nothing is written");
                continue;
            }
            let products = (0..depth).map(|k| f64::from(left[number * row + k * step]) * f64::from(right[k * pitch + column]));
            let exact: f64 = products.sum();
            assert!((f64::from(written[at]) - exact).abs() < 1e-5 && (f64::from(added[at]) - 1.0 - exact).abs() < 1e-5);
        }
    }

    #[test]
    fn sums_are_those_of_products() {
        for rows in [1, 5, 6, 7, 8, 9, 17, 64] {
            for depth in [1, 2, 16, 33] {
                for (vectors, between) in [(1, 0), (1, 3), (2, 0), (3, 1), (4, 0)] {
                    let (columns, pitch) = (vectors * lanes(), vectors * lanes() + between);
                    agrees(Product { rows, columns, depth, left: [depth, 1], pitch });
                    agrees(Product { rows, columns, depth, left: [1, rows + 2], pitch });
                }
            }
        }
    }

    #[test]
    fn slices_that_are_too_short_are_refused() {
        let refused = |left: usize, right: usize, sums: usize| {
            let product = Product { rows: 2, columns: lanes(), depth: 3, left: [4, 1], pitch: lanes() + 1 };
            let compute = || {
                let (left, right, mut sums) = (vec![0.0; left], vec![0.0; right], vec![0.0; sums]);
                arch().dispatch(Both(product, &left, &right, [&mut sums.clone(), &mut sums]));
            };
            std::panic::catch_unwind(compute).is_err()
        };
        let [left, right, sums] = [4 + 3, 2 * (lanes() + 1) + lanes(), lanes() + 1 + lanes()];
        assert!(!refused(left, right, sums));
        assert!(refused(left - 1, right, sums) && refused(left, right - 1, sums) && refused(left, right, sums - 1));
    }
}
