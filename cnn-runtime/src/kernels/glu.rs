//! The gated linear unit: one half of the last axis opens or closes the other.

use super::elementary::sigmoid;
use super::fill::in_chunks;
use super::op::Unary;
use super::real::Real;
use crate::gpu::{Gpu, Kernel, Work, arguments};
use candle_core::{Result, Shape, Storage, Tensor};

/// `a·sigmoid(b)` of the two halves `a` and `b` of the last axis, which is halved.
pub(crate) struct Glu;

fn width(dims: &[usize]) -> usize {
    dims.last().copied().unwrap_or(0)
}

impl Unary for Glu {
    fn name(&self) -> &'static str {
        "glu"
    }

    fn shape(&self, dims: &[usize]) -> Shape {
        let mut dims = dims.to_vec();
        dims.iter_mut().next_back().into_iter().for_each(|last| *last /= 2);
        dims.into()
    }

    fn forward<T: Real>(&self, xs: &[T], dims: &[usize]) -> Vec<T> {
        let half = (width(dims) / 2).max(1);
        in_chunks(xs.len() / 2, half, |number, ys| {
            let (a, b) = xs[number * 2 * half..][..2 * half].split_at(half);
            ys.iter_mut().zip(a.iter().zip(b)).for_each(|(y, (a, b))| *y = *a * sigmoid(*b));
        })
    }

    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let half = (width(dims) / 2).max(1);
        in_chunks(xs.len(), 2 * half, |number, out| {
            let (row, [ys, grad]) = (&xs[number * 2 * half..], [ys, grad].map(|values| &values[number * half..]));
            let (of_a, of_b) = out.split_at_mut(half);
            for i in 0..half {
                let gate = sigmoid(row[half + i]);
                of_a[i] = grad[i] * gate;
                of_b[i] = grad[i] * ys[i] * (T::one() - gate);
            }
        })
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        let (count, half) = (xs.elem_count() / 2, (width(xs.dims()) / 2).max(1));
        let mut ys = gpu.empty(xs.dtype(), count)?;
        let kernel = Kernel::new("activation", "glu_values", xs.dtype());
        // SAFETY: it writes `count` values, each from two of `xs`, which are in one of its rows of two halves.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut ys, xs, count, half]) }?;
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, xs: &Tensor, ys: &Tensor, grad: &Tensor, dims: &[usize]) -> Result<Storage> {
        let (count, half) = (grad.elem_count(), (width(dims) / 2).max(1));
        let mut out = gpu.empty(xs.dtype(), xs.elem_count())?;
        let kernel = Kernel::new("activation", "glu_gradients", xs.dtype());
        // SAFETY: it reads `count` values of `ys` and `grad`, and from `xs` and to `out` the two that go with each.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut out, xs, ys, grad, count, half]) }?;
        Ok(out)
    }
}
