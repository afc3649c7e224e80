//! `softmax` and `log_softmax` along the last axis.

use super::op::Unary;
use super::real::Real;
use crate::gpu::{Gpu, Kernel, Work, arguments};
use candle_core::{Result, Storage, Tensor};

/// `e^{xᵢ} / Σ e^{xⱼ}` along the last axis, or its logarithm.
pub(crate) struct Softmax {
    pub(crate) log: bool,
}

/// The largest `xᵢ`, and the logarithm of `Σ e^{xᵢ − largest}`: apart, as their sum would round away small differences of
/// large values.
pub(crate) fn log_sum_exp<T: Real>(xs: &[T]) -> (T, T) {
    let most = xs.iter().copied().fold(T::neg_infinity(), T::at_least);
    (most, xs.iter().map(|x| (*x - most).exp()).sum::<T>().ln())
}

/// The length of the last axis.
pub(super) fn width(dims: &[usize]) -> usize {
    dims.last().copied().unwrap_or(1).max(1)
}

impl Unary for Softmax {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn forward<T: Real>(&self, xs: &[T], dims: &[usize]) -> Vec<T> {
        let mut ys = xs.to_vec();
        for row in ys.chunks_mut(width(dims)) {
            let (most, total) = log_sum_exp(row);
            row.iter_mut().for_each(|y| *y = if self.log { *y - most - total } else { (*y - most - total).exp() });
        }
        ys
    }

    /// `y·(g − Σ g·y)`, or `g − eʸ·Σ g` for the logarithm.
    fn backward<T: Real>(&self, _xs: &[T], ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let mut out = grad.to_vec();
        for (row, ys) in out.chunks_mut(width(dims)).zip(ys.chunks(width(dims))) {
            if self.log {
                let total: T = row.iter().copied().sum();
                row.iter_mut().zip(ys).for_each(|(g, y)| *g -= y.exp() * total);
            } else {
                let total: T = row.iter().zip(ys).map(|(g, y)| *g * *y).sum();
                row.iter_mut().zip(ys).for_each(|(g, y)| *g = *y * (*g - total));
            }
        }
        out
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        let (count, width) = (xs.elem_count(), width(xs.dims()));
        let mut ys = gpu.empty(xs.dtype(), count)?;
        let kernel = Kernel::new("softmax", format!("{}_values", self.name()), xs.dtype());
        let work = Work::Blocks { count: count / width, width };
        // SAFETY: it reads that many rows of `width` values and writes as many, which are the `count` that both have.
        unsafe { gpu.launch(&kernel, work, arguments![&mut ys, xs, count / width, width]) }?;
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, _xs: &Tensor, ys: &Tensor, grad: &Tensor, dims: &[usize]) -> Result<Storage> {
        let (count, width) = (grad.elem_count(), width(dims));
        let mut out = gpu.empty(grad.dtype(), count)?;
        let kernel = Kernel::new("softmax", format!("{}_gradients", self.name()), grad.dtype());
        let work = Work::Blocks { count: count / width, width };
        // SAFETY: as in the forward pass; the gradient is of the output's shape.
        unsafe { gpu.launch(&kernel, work, arguments![&mut out, ys, grad, count / width, width]) }?;
        Ok(out)
    }

    fn reads_input(&self) -> bool {
        false
    }
}
