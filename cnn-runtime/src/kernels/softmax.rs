//! `softmax` and `log_softmax` along the last axis.

use super::op::Unary;
use super::real::Real;

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
fn width(dims: &[usize]) -> usize {
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

    fn reads_input(&self) -> bool {
        false
    }
}
