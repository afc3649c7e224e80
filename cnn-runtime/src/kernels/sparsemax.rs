//! `sparsemax` along the last axis: probabilities of which most are exactly 0.

use super::op::Unary;
use super::real::Real;

/// `max(xᵢ − τ, 0)` with the `τ` that makes the sum 1: the probabilities nearest to `x` (Martins & Astudillo, 2016).
pub(crate) struct Sparsemax;

fn width(dims: &[usize]) -> usize {
    dims.last().copied().unwrap_or(1).max(1)
}

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
}
