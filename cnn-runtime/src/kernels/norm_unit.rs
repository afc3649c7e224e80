//! Values divided by the root of the sum of their squares: unit normalisation.

use super::op::{self, Unary};
use super::real::Real;
use crate::gpu::{Gpu, Kernel, Work, arguments};
use candle_core::{Result, Storage, Tensor};

/// `x/√Σx²` of each `length` values of `xs` that follow each other; a root below 10⁻¹² counts as that.
///
/// # Errors
/// If the tensor's type is not a float.
pub(crate) fn unit_norm(xs: &Tensor, length: usize) -> Result<Tensor> {
    op::apply(xs, UnitNorm { length: length.max(1) })
}

fn sum<T: Real>(values: impl Iterator<Item = T>) -> f64 {
    values.map(Real::wide).sum()
}

struct UnitNorm {
    length: usize,
}

impl UnitNorm {
    /// The smallest root.
    const LEAST: f64 = 1e-12;

    fn root<T: Real>(xs: &[T]) -> f64 {
        sum(xs.iter().map(|x| *x * *x)).sqrt()
    }
}

impl Unary for UnitNorm {
    fn name(&self) -> &'static str {
        "UnitNormalization"
    }

    fn forward<T: Real>(&self, xs: &[T], _dims: &[usize]) -> Vec<T> {
        let mut ys = xs.to_vec();
        for row in ys.chunks_mut(self.length) {
            let inverse = T::of(Self::root(row).max(Self::LEAST).recip());
            row.iter_mut().for_each(|y| *y *= inverse);
        }
        ys
    }

    /// `(g − y·Σ(g·y))/√Σx²`, or `g/10⁻¹²` where the root is smaller than that.
    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T], _dims: &[usize]) -> Vec<T> {
        let mut out = grad.to_vec();
        for ((out, xs), ys) in out.chunks_mut(self.length).zip(xs.chunks(self.length)).zip(ys.chunks(self.length)) {
            let root = Self::root(xs);
            let along = if root > Self::LEAST { sum(out.iter().zip(ys).map(|(g, y)| *g * *y)) } else { 0.0 };
            let (along, inverse) = (T::of(along), T::of(root.max(Self::LEAST).recip()));
            out.iter_mut().zip(ys).for_each(|(g, y)| *g = (*g - *y * along) * inverse);
        }
        out
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        unit_values_on_gpu(gpu, xs, self.length, Self::LEAST)
    }

    fn backward_on_gpu(&self, gpu: Gpu, xs: &Tensor, ys: &Tensor, grad: &Tensor, _dims: &[usize]) -> Result<Storage> {
        unit_gradients_on_gpu(gpu, xs, ys, grad, self.length, Self::LEAST)
    }
}

/// Rows of `length` values of `xs` divided by the root of the sum of their squares, or by `least` if that is smaller.
pub(crate) fn unit_values_on_gpu(gpu: Gpu, xs: &Tensor, length: usize, least: f64) -> Result<Storage> {
    let (count, dtype) = (xs.elem_count(), xs.dtype());
    let mut ys = gpu.empty(dtype, count)?;
    let kernel = Kernel::new("norm", "unit_values", dtype);
    let (rows, work) = (count / length, Work::Blocks { count: count / length, width: length });
    // SAFETY: it reads and writes that many rows, which are at most the `count` values that both have.
    unsafe { gpu.launch(&kernel, work, arguments![&mut ys, xs, rows, length, least]) }?;
    Ok(ys)
}

/// The gradient of `xs`, from the gradient `grad` of what [`unit_values_on_gpu`] has made of it, `ys`.
pub(crate) fn unit_gradients_on_gpu(
    gpu: Gpu,
    xs: &Tensor,
    ys: &Tensor,
    grad: &Tensor,
    length: usize,
    least: f64,
) -> Result<Storage> {
    let (count, dtype) = (grad.elem_count(), grad.dtype());
    let mut out = gpu.empty(dtype, count)?;
    let kernel = Kernel::new("norm", "unit_gradients", dtype);
    let (rows, work) = (count / length, Work::Blocks { count: count / length, width: length });
    // SAFETY: as in the forward pass; all have the shape of the input.
    unsafe { gpu.launch(&kernel, work, arguments![&mut out, xs, ys, grad, rows, length, least]) }?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn a_vector_of_zeros_stays_one() {
        let xs = Var::new(&[[0f64, 0.], [3., -4.]], &Device::Cpu).unwrap();
        let ys = unit_norm(&xs, 2).unwrap();
        let gradient = ys.sum_all().unwrap().backward().unwrap().get(&xs).unwrap().flatten_all().unwrap();
        let close = |found: &Tensor, expected: [f64; 4]| {
            let found = found.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let is_close = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-15);
            assert!(is_close, "{found:?} is not {expected:?}");
        };
        close(&ys, [0., 0., 0.6, -0.8]);
        close(&gradient, [1e12, 1e12, (1. + 0.6 * 0.2) / 5., (1. - 0.8 * 0.2) / 5.]);
    }

    #[cfg(feature = "emulated-cuda")]
    #[test]
    fn a_gpu_gives_the_same_however_threads_share_the_values() {
        for (rows, length) in [(200, 7), (3, 1000), (70, 1)] {
            crate::kernels::op::on_gpu::expect_the_same(&UnitNorm { length }, &[rows, length]);
        }
    }
}
