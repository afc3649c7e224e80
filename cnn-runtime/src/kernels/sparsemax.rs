//! `sparsemax` along the last axis: probabilities of which most are exactly 0.

use super::op::Unary;
use super::real::Real;
use super::softmax::width;
use crate::gpu::{Gpu, Kernel, Work, arguments};
use candle_core::{Result, Storage, Tensor};

/// `max(xᵢ − τ, 0)` with the `τ` that makes the sum 1: the probabilities nearest to `x` (Martins & Astudillo, 2016).
pub(crate) struct Sparsemax;

/// The `τ` of one row: of the largest `k` values, their sum less 1, divided by `k`, for the largest `k` that leaves the
/// smallest of them above it.
fn threshold<T: Real>(row: &[T], sorted: &mut Vec<T>) -> T {
    sorted.clear();
    sorted.extend_from_slice(row);
    sorted.sort_unstable_by(|a, b| b.partial_cmp(a).unwrap_or(std::cmp::Ordering::Equal));
    // Distances from the largest value, whose sums lose no digits.
    let most = sorted.first().copied().unwrap_or_else(T::zero);
    let (mut sum, mut threshold) = (T::zero(), T::zero());
    for (i, x) in sorted.iter().enumerate() {
        let (x, count) = (*x - most, T::of((i + 1) as f64));
        sum += x;
        if T::one() + count * x > sum {
            threshold = (sum - T::one()) / count;
        }
    }
    most + threshold
}

impl Unary for Sparsemax {
    fn name(&self) -> &'static str {
        "sparsemax"
    }

    fn forward<T: Real>(&self, xs: &[T], dims: &[usize]) -> Vec<T> {
        let (mut ys, mut sorted) = (xs.to_vec(), Vec::new());
        for row in ys.chunks_mut(width(dims)) {
            let threshold = threshold(row, &mut sorted);
            row.iter_mut().for_each(|x| *x = (*x - threshold).at_least(T::zero()));
        }
        ys
    }

    /// `g − mean(g)` over the values above 0, and 0 for the others.
    fn backward<T: Real>(&self, _xs: &[T], ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let mut out = grad.to_vec();
        for (row, ys) in out.chunks_mut(width(dims)).zip(ys.chunks(width(dims))) {
            let is_kept = |y: &T| *y > T::zero();
            let count = T::of(ys.iter().filter(|y| is_kept(y)).count() as f64);
            let total: T = row.iter().zip(ys).filter(|(_, y)| is_kept(y)).map(|(g, _)| *g).sum();
            row.iter_mut().zip(ys).for_each(|(g, y)| *g = if is_kept(y) { *g - total / count } else { T::zero() });
        }
        out
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        let (count, width) = (xs.elem_count(), width(xs.dims()));
        let mut ys = gpu.empty(xs.dtype(), count)?;
        let kernel = Kernel::new("softmax", "sparsemax_values", xs.dtype());
        let work = Work::Blocks { count: count / width, width };
        // SAFETY: it reads that many rows of `width` values and writes as many, which are the `count` that both have.
        unsafe { gpu.launch(&kernel, work, arguments![&mut ys, xs, count / width, width]) }?;
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, _xs: &Tensor, ys: &Tensor, grad: &Tensor, dims: &[usize]) -> Result<Storage> {
        let (count, width) = (grad.elem_count(), width(dims));
        let mut out = gpu.empty(grad.dtype(), count)?;
        let kernel = Kernel::new("softmax", "sparsemax_gradients", grad.dtype());
        let work = Work::Blocks { count: count / width, width };
        // SAFETY: as in the forward pass; the gradient is of the output's shape.
        unsafe { gpu.launch(&kernel, work, arguments![&mut out, ys, grad, count / width, width]) }?;
        Ok(out)
    }

    fn reads_input(&self) -> bool {
        false
    }
}
