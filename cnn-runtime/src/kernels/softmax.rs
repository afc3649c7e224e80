//! `softmax` and `log_softmax` along the last axis.

use super::elementary::exp;
use super::fill::{CHUNK, in_chunks};
use super::op::Unary;
use super::real::Real;
use super::simd::simd;
use crate::gpu::{Gpu, Kernel, Work, arguments};
use candle_core::{Result, Storage, Tensor};

/// `e^{xᵢ} / Σ e^{xⱼ}` along the last axis, or its logarithm.
pub(crate) struct Softmax {
    pub(crate) log: bool,
}

simd! {
    /// Makes each `x` `eˣ`.
    fn raise<T: Real>(xs: &mut [T]) {
        for x in xs {
            *x = exp(*x);
        }
    }
}

/// Makes each `xᵢ` of rows of `width` values `e^{xᵢ − largest}`, and gives the largest of each.
fn raise_rows<T: Real>(xs: &mut [T], width: usize) -> Vec<T> {
    let shift = |row: &mut [T]| {
        let most = row.iter().copied().fold(T::neg_infinity(), T::at_least);
        row.iter_mut().for_each(|x| *x -= most);
        most
    };
    let most = xs.chunks_exact_mut(width).map(shift).collect();
    raise(xs);
    most
}

/// For each row of `width` values, the largest `xᵢ`, and the logarithm of `Σ e^{xᵢ − largest}`: apart, as their sum would round away
/// small differences of large values.
pub(crate) fn log_sum_exp<T: Real>(xs: &[T], width: usize) -> Vec<(T, T)> {
    let mut raised = xs.to_vec();
    let most = raise_rows(&mut raised, width);
    most.into_iter().zip(raised.chunks_exact(width)).map(|(most, row)| (most, row.iter().copied().sum::<T>().ln())).collect()
}

/// Makes rows of `width` values their softmax.
pub(crate) fn softmax_rows<T: Real>(xs: &mut [T], width: usize) {
    raise_rows(xs, width);
    for row in xs.chunks_exact_mut(width) {
        let total: T = row.iter().copied().sum();
        row.iter_mut().for_each(|x| *x /= total);
    }
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
        let width = width(dims);
        let chunk = CHUNK.next_multiple_of(width);
        in_chunks(xs.len(), chunk, |number, ys| {
            ys.copy_from_slice(&xs[number * chunk..][..ys.len()]);
            if !self.log {
                return softmax_rows(ys, width);
            }
            for ((most, total), row) in log_sum_exp(ys, width).into_iter().zip(ys.chunks_exact_mut(width)) {
                row.iter_mut().for_each(|y| *y = *y - most - total);
            }
        })
    }

    /// `y·(g − Σ g·y)`, or `g − eʸ·Σ g` for the logarithm.
    fn backward<T: Real>(&self, _xs: &[T], ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let width = width(dims);
        let chunk = CHUNK.next_multiple_of(width);
        in_chunks(grad.len(), chunk, |number, out| {
            let part = number * chunk..number * chunk + out.len();
            out.copy_from_slice(&grad[part.clone()]);
            for (row, ys) in out.chunks_exact_mut(width).zip(ys[part].chunks_exact(width)) {
                if self.log {
                    let total: T = row.iter().copied().sum();
                    row.iter_mut().zip(ys).for_each(|(g, y)| *g -= exp(*y) * total);
                } else {
                    let total: T = row.iter().zip(ys).map(|(g, y)| *g * *y).sum();
                    row.iter_mut().zip(ys).for_each(|(g, y)| *g = *y * (*g - total));
                }
            }
        })
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
