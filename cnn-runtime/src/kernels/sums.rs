//! Sums of many values on a GPU, added in an order that follows from the shapes alone.

use crate::gpu::{Geometry, Gpu, Kernel, Work, arguments, tensor};
use candle_core::{DType, Result, Storage, Tensor};

const FAMILY: &str = "sums";

/// How columns are added up: in `pieces`, each of `length` of the `rows` of `width` values.
#[repr(C)]
#[derive(Clone, Copy)]
struct Columns {
    rows: i64,
    width: i64,
    pieces: i64,
    length: i64,
}

// SAFETY: it is numbers of one size, and so are those of `cuda/sums.cu`.
unsafe impl Geometry for Columns {}

/// The sum of each column of `xs`, `N, K`, which lies row by row: `K`. It is the gradient of a bias.
pub(crate) fn column_sums_on_gpu(gpu: Gpu, xs: &Tensor) -> Result<Tensor> {
    /// Rows that a thread adds up; more wait for one another too long, fewer leave too many sums to the next pass.
    const LENGTH: usize = 64;
    let (rows, width) = xs.dims2()?;
    let (pieces, dtype) = (rows.div_ceil(LENGTH).max(1), xs.dtype());
    let columns = Columns { rows: rows as i64, width: width as i64, pieces: pieces as i64, length: LENGTH as i64 };
    let mut sums = gpu.empty(dtype, pieces * width)?;
    let kernel = Kernel::new(FAMILY, "column_sums", dtype);
    // SAFETY: it reads `rows` rows of `width` values and writes `pieces` of them.
    unsafe { gpu.launch(&kernel, Work::Each(pieces * width), arguments![&mut sums, xs, &columns]) }?;
    match pieces {
        1 => Ok(tensor(sums, width)),
        _ => column_sums_on_gpu(gpu, &tensor(sums, (pieces, width))),
    }
}

/// `scale` times the sum of all values of `xs`, of which there are not many.
pub(crate) fn total_on_gpu(gpu: Gpu, xs: &Tensor, scale: f64) -> Result<Storage> {
    let (count, dtype) = (xs.elem_count(), xs.dtype());
    let mut sum = gpu.empty(dtype, 1)?;
    let kernel = Kernel::new(FAMILY, "total", dtype);
    // SAFETY: it reads `count` values of `xs` and writes one.
    unsafe { gpu.launch(&kernel, Work::Blocks { count: 1, width: count }, arguments![&mut sum, xs, count, scale]) }?;
    Ok(sum)
}

/// How many threads share the `rows` of each of `width` columns, so that all are enough to keep a GPU busy and each has
/// enough to do; it follows from the shape alone.
pub(crate) fn sharers(rows: usize, width: usize) -> usize {
    const THREADS: usize = 1 << 17;
    const ROWS: usize = 32;
    (THREADS / width.max(1)).clamp(1, (rows / ROWS).max(1))
}

/// The sums of each column of `parts`, `rows` rows in double precision, as values of `dtype`.
pub(crate) fn fold_columns_on_gpu(gpu: Gpu, parts: &Storage, rows: usize, columns: usize, dtype: DType) -> Result<Storage> {
    let mut sums = gpu.empty(dtype, columns)?;
    let kernel = Kernel::new(FAMILY, "fold_columns", dtype);
    let work = Work::Blocks { count: columns, width: rows };
    // SAFETY: it reads `rows` rows of `columns` values, which the caller says there are, and writes one row.
    unsafe { gpu.launch(&kernel, work, arguments![&mut sums, parts, rows, columns]) }?;
    Ok(sums)
}

#[cfg(all(test, feature = "emulated-cuda"))]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn every_row_is_added_once_however_many_passes_that_takes() {
        let (gpu, device) = (Gpu::emulated(), Device::Cpu);
        for rows in [0, 1, 63, 64, 65, 5000] {
            let xs = Tensor::arange(0f64, 3.0 * rows as f64, &device).unwrap().reshape((rows, 3)).unwrap();
            let found = column_sums_on_gpu(gpu, &xs).unwrap().to_vec1::<f64>().unwrap();
            assert_eq!(found, xs.sum(0).unwrap().to_vec1::<f64>().unwrap());
            let total = tensor(total_on_gpu(gpu, &xs, 0.5).unwrap(), ()).to_scalar::<f64>().unwrap();
            assert_eq!(total, 0.5 * xs.sum_all().unwrap().to_scalar::<f64>().unwrap());
        }
    }
}
