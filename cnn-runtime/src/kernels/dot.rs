//! Dot products of all vectors of one tensor with all vectors of another, example by example, and vectors of length 1.

use super::matmul::{Into, Matrix, Threads, matmul};
use super::norm_unit::{unit_gradients_on_gpu, unit_values_on_gpu};
use super::op::{Unary, apply, dispatch, dtype, slice, with_slices};
use super::real::Real;
use super::share::for_each;
use crate::gpu::Gpu;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Storage, Tensor};

const NAME: &str = "Dot";

/// `Σₖ a[n, …, k]·b[n, …, k]` for two tensors of which `axes` names the axis of `k`, the batch being axis 0: the other axes
/// of the first, then those of the second, or one value if there are none.
///
/// With `normalize` the vectors along `k` are first divided by their length.
///
/// # Errors
/// If there are other than two tensors, or their batches or these axes differ in size.
pub(crate) fn dot(xs: &[&Tensor], axes: [usize; 2], normalize: bool) -> Result<Tensor> {
    let [a, b] = xs else { candle_core::bail!("`{NAME}` takes two tensors, found {}", xs.len()) };
    let agree = a.dim(0)? == b.dim(0)? && a.dim(axes[0])? == b.dim(axes[1])?;
    if !agree {
        let (a, b) = (a.dims(), b.dims());
        candle_core::bail!("`{NAME}` needs equal batches, and equal sizes along axes {axes:?}, found {a:?} and {b:?}");
    }
    let rows = [vectors(a, axes[0], normalize)?, vectors(b, axes[1], normalize)?];
    // Candle has these products from cuBLAS, and their gradients are right.
    let products = match Gpu::of(a.device()) {
        Some(_) => rows[0].matmul(&rows[1].t()?)?,
        None => rows[0].apply_op2(&rows[1], Products)?,
    };
    let rest = |xs: &Tensor, axis: usize| [&xs.dims()[1..axis], &xs.dims()[axis + 1..]].concat();
    let shape = [vec![a.dim(0)?], rest(a, axes[0]), rest(b, axes[1])].concat();
    products.reshape(if shape.len() == 1 { vec![shape[0], 1] } else { shape })
}

/// The vectors of `xs` along `axis` as rows: `N, rows, K`.
fn vectors(xs: &Tensor, axis: usize, normalize: bool) -> Result<Tensor> {
    let (batch, len) = (xs.dim(0)?, xs.dim(axis)?);
    let order: Vec<usize> = (0..xs.rank()).filter(|other| *other != axis).chain([axis]).collect();
    let count = xs.dims()[1..].iter().product::<usize>().checked_div(len).unwrap_or(0);
    let rows = xs.permute(order)?.contiguous()?.reshape((batch, count, len))?;
    if normalize { apply(&rows, UnitLength) } else { Ok(rows) }
}

/// `a·bᵀ` for each example: `N, A, K` and `N, B, K` to `N, A, B`.
struct Products;

/// Writes the product of two matrices for each example, of `len` values.
fn for_each_example<'a, T: Real>(
    count: usize,
    len: usize,
    columns: usize,
    factors: impl Fn(usize) -> (Matrix<'a, T>, Matrix<'a, T>) + Sync,
) -> Vec<T> {
    let mut out = vec![T::zero(); count * len];
    let threads = if count == 1 { Threads::All } else { Threads::One };
    for_each(out.chunks_mut(len.max(1)).enumerate().collect(), |(example, out)| {
        let (lhs, rhs) = factors(example);
        matmul(out, columns, Into::Replace, lhs, rhs, threads);
    });
    out
}

/// The matrix of one example of `rows, columns`.
fn matrix<T>(values: &[T], example: usize, rows: usize, columns: usize) -> Matrix<'_, T> {
    Matrix::new(&values[example * rows * columns..][..rows * columns], rows, columns)
}

impl CustomOp2 for Products {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<(CpuStorage, Shape)> {
        fn forward<T: Real>(
            [count, rows, columns, len]: [usize; 4],
            (a, la): (&CpuStorage, &Layout),
            (b, lb): (&CpuStorage, &Layout),
        ) -> Result<CpuStorage> {
            let (a, b): (&[T], &[T]) = (slice(a, la, NAME)?, slice(b, lb, NAME)?);
            let factors = |example| (matrix(a, example, rows, len), matrix(b, example, columns, len).transposed());
            Ok(T::to_cpu_storage_owned(for_each_example(count, rows * columns, columns, factors)))
        }
        let ((count, rows, len), (_, columns, _)) = (la.shape().dims3()?, lb.shape().dims3()?);
        let values = dispatch!(dtype(a), NAME, forward([count, rows, columns, len], (a, la), (b, lb)))?;
        Ok((values, (count, rows, columns).into()))
    }

    /// `grad·b` for the first, `gradᵀ·a` for the second.
    fn bwd(&self, a: &Tensor, b: &Tensor, _ys: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        fn backward<T: Real>(a: &Tensor, b: &Tensor, grad: &Tensor) -> Result<(Tensor, Tensor)> {
            let ((count, rows, len), columns) = (a.dims3()?, b.dim(1)?);
            let (first, second) = with_slices([a, b, grad], NAME, |[a, b, grad]: [&[T]; 3]| {
                let grad = |example| matrix(grad, example, rows, columns);
                let first = |example| (grad(example), matrix(b, example, columns, len));
                let second = |example| (grad(example).transposed(), matrix(a, example, rows, len));
                (for_each_example(count, rows * len, len, first), for_each_example(count, columns * len, len, second))
            })?;
            Ok((Tensor::from_vec(first, a.shape(), a.device())?, Tensor::from_vec(second, b.shape(), b.device())?))
        }
        let grad = grad.contiguous()?;
        let (first, second) = dispatch!(a.dtype(), NAME, backward(a, b, &grad))?;
        Ok((Some(first), Some(second)))
    }
}

/// Rows divided by their length, as Keras' `normalize`: by 1e-7 where they are shorter than that.
struct UnitLength;

const SHORTEST: f64 = 1e-7;

impl Unary for UnitLength {
    fn name(&self) -> &'static str {
        NAME
    }

    fn forward<T: Real>(&self, xs: &[T], dims: &[usize]) -> Vec<T> {
        let mut ys = xs.to_vec();
        for_each(ys.chunks_mut(row_len(dims)).collect(), |row| {
            let inverse = T::of(1.0 / length(row).max(SHORTEST));
            row.iter_mut().for_each(|y| *y *= inverse);
        });
        ys
    }

    /// The part of the gradient across the vector, divided by its length.
    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let mut out = grad.to_vec();
        let rows = out.chunks_mut(row_len(dims)).zip(xs.chunks(row_len(dims))).zip(ys.chunks(row_len(dims)));
        for_each(rows.collect(), |((grad, xs), ys)| {
            let length = length(xs);
            let along: f64 = if length > SHORTEST { grad.iter().zip(ys).map(|(g, y)| g.wide() * y.wide()).sum() } else { 0.0 };
            let inverse = 1.0 / length.max(SHORTEST);
            grad.iter_mut().zip(ys).for_each(|(g, y)| *g = T::of((g.wide() - along * y.wide()) * inverse));
        });
        out
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        unit_values_on_gpu(gpu, xs, row_len(xs.dims()), SHORTEST)
    }

    fn backward_on_gpu(&self, gpu: Gpu, xs: &Tensor, ys: &Tensor, grad: &Tensor, dims: &[usize]) -> Result<Storage> {
        unit_gradients_on_gpu(gpu, xs, ys, grad, row_len(dims), SHORTEST)
    }
}

fn row_len(dims: &[usize]) -> usize {
    dims[dims.len() - 1].max(1)
}

/// `√Σx²`
fn length<T: Real>(row: &[T]) -> f64 {
    row.iter().map(|x| x.wide() * x.wide()).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn a_vector_of_zeros_has_no_direction_and_a_finite_gradient() {
        let zeros = Var::from_slice(&[0f64; 3], (1, 3), &Device::Cpu).unwrap();
        let ones = Tensor::new(&[[1f64, 1., 1.]], &Device::Cpu).unwrap();
        let cosine = dot(&[&zeros, &ones], [1, 1], true).unwrap();
        assert_eq!(cosine.to_vec2::<f64>().unwrap(), [[0.0]]);
        let gradient = cosine.backward().unwrap().get(&zeros).unwrap().to_vec2::<f64>().unwrap();
        assert!(gradient[0].iter().all(|g| (g - 1e7 / 3f64.sqrt()).abs() < 1e-6), "{gradient:?}");
    }

    #[test]
    fn tensors_that_do_not_agree_are_shown() {
        let ones = |dims: &[usize]| Tensor::ones(dims, candle_core::DType::F32, &Device::Cpu).unwrap();
        let error = dot(&[&ones(&[2, 3]), &ones(&[2, 4])], [1, 1], false).unwrap_err().to_string();
        assert!(error.contains("found [2, 3] and [2, 4]"), "{error}");
        assert!(dot(&[&ones(&[1, 3]), &ones(&[2, 3])], [1, 1], false).is_err());
        assert!(dot(&[&ones(&[1, 3])], [1, 1], false).is_err());
        assert_eq!(dot(&[&ones(&[0, 3]), &ones(&[0, 3])], [1, 1], false).unwrap().dims(), [0, 1]);
    }
}
