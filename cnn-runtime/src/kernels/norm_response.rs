//! Local response normalisation: each value is divided by what its neighbours among the channels say.

use super::fill::in_chunks;
use super::op::{Unary, apply};
use super::real::Real;
use super::simd::simd;
use crate::gpu::{Geometry, Gpu, Kernel, Work, arguments};
use crate::spec::LocalResponseNormalization;
use candle_core::{Result, Storage, Tensor};

/// `x·(k + alpha/size·Σ x²)^−beta` of every value of `xs`, the sum over `size` neighbours along the last axis.
///
/// # Errors
/// If the tensor's type is not a float.
pub(crate) fn local_response_norm(xs: &Tensor, spec: &LocalResponseNormalization) -> Result<Tensor> {
    apply(xs, LocalResponseNorm(*spec))
}

struct LocalResponseNorm(LocalResponseNormalization);

simd! {
    /// What the values of one pixel are divided by, before the exponent.
    fn divisors<T: Real>(divisors: &mut [T], xs: &[T], spec: &LocalResponseNormalization) {
        let alpha = T::of(spec.alpha / spec.size as f64);
        let reach = [spec.size / 2, (spec.size - 1) / 2];
        divisors.iter_mut().enumerate().for_each(|(channel, divisor)| {
            let neighbours = &xs[around(channel, reach, xs.len())];
            *divisor = T::of(spec.k) + alpha * neighbours.iter().fold(T::zero(), |sum, x| sum + *x * *x);
        });
    }
}

/// The channels up to `reach` before and after this one.
#[inline(always)]
fn around(channel: usize, [before, after]: [usize; 2], channels: usize) -> std::ops::Range<usize> {
    channel.saturating_sub(before)..channel.saturating_add(after).saturating_add(1).min(channels)
}

/// `divisor^−beta`, by roots for the exponent that everyone uses.
#[inline(always)]
fn power<T: Real>(divisor: T, beta: f64) -> T {
    if beta == 0.75 {
        let root = divisor.sqrt();
        (root * root.sqrt()).recip()
    } else {
        divisor.powf(T::of(-beta))
    }
}

/// Pixels that one thread takes at a time.
const PIXELS: usize = 256;

impl Unary for LocalResponseNorm {
    fn name(&self) -> &'static str {
        LocalResponseNormalization::NAME
    }

    fn forward<T: Real>(&self, xs: &[T], dims: &[usize]) -> Vec<T> {
        let channels = dims.last().copied().unwrap_or(1).max(1);
        in_chunks(xs.len(), PIXELS * channels, |number, ys| {
            let xs = &xs[number * PIXELS * channels..];
            for (ys, xs) in ys.chunks_mut(channels).zip(xs.chunks(channels)) {
                divisors(ys, xs, &self.0);
                ys.iter_mut().zip(xs).for_each(|(y, x)| *y = *x * power(*y, self.0.beta));
            }
        })
    }

    /// `g·d^−beta − 2·alpha/size·beta·x·Σ g·y/d`, the sum over the channels that have this one among their neighbours.
    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let channels = dims.last().copied().unwrap_or(1).max(1);
        let spec = self.0;
        let factor = T::of(2.0 * spec.alpha / spec.size as f64 * spec.beta);
        let reach = [(spec.size - 1) / 2, spec.size / 2];
        let length = PIXELS * channels;
        in_chunks(xs.len(), length, |number, out| {
            let [xs, ys, grad] = [xs, ys, grad].map(|values| &values[number * length..]);
            let mut divisor = vec![T::zero(); channels];
            let mut shares = vec![T::zero(); channels];
            let pixels = xs.chunks(channels).zip(ys.chunks(channels)).zip(grad.chunks(channels));
            for (out, ((xs, ys), grad)) in out.chunks_mut(channels).zip(pixels) {
                divisors(&mut divisor, xs, &spec);
                for (channel, share) in shares.iter_mut().enumerate() {
                    *share = grad[channel] * ys[channel] / divisor[channel];
                }
                for (channel, out) in out.iter_mut().enumerate() {
                    let sum: T = shares[around(channel, reach, channels)].iter().copied().sum();
                    *out = grad[channel] * power(divisor[channel], spec.beta) - factor * xs[channel] * sum;
                }
            }
        })
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        let (count, dtype) = (xs.elem_count(), xs.dtype());
        let mut ys = gpu.empty(dtype, count)?;
        let kernel = Kernel::new(FAMILY, "response_values", dtype);
        // SAFETY: it reads and writes `count` values, which both have; neighbours are of the same row.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut ys, xs, &self.on_gpu(xs.dims())]) }?;
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, xs: &Tensor, ys: &Tensor, grad: &Tensor, dims: &[usize]) -> Result<Storage> {
        let (count, dtype, response) = (grad.elem_count(), grad.dtype(), self.on_gpu(dims));
        let (mut shares, mut out) = (gpu.empty(dtype, count)?, gpu.empty(dtype, count)?);
        let kernel = Kernel::new(FAMILY, "response_shares", dtype);
        // SAFETY: as in the forward pass; all are of the input's shape.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut shares, xs, ys, grad, &response]) }?;
        let kernel = Kernel::new(FAMILY, "response_gradients", dtype);
        // SAFETY: likewise.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut out, xs, grad, &shares, &response]) }?;
        Ok(out)
    }
}

const FAMILY: &str = "norm";

/// A batch and what its neighbours say, as in `cuda/norm.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct OnGpu {
    count: i64,
    channels: i64,
    /// Neighbours before and after a channel.
    reach: [i64; 2],
    k: f64,
    alpha: f64,
    beta: f64,
}

// SAFETY: it is numbers of one size, and so are those of `cuda/norm.cu`.
unsafe impl Geometry for OnGpu {}

impl LocalResponseNorm {
    fn on_gpu(&self, dims: &[usize]) -> OnGpu {
        let LocalResponseNormalization { size, k, alpha, beta, .. } = self.0;
        let (count, channels) = (dims.iter().product::<usize>() as i64, dims.last().copied().unwrap_or(1).max(1) as i64);
        let reach = [size / 2, (size - 1) / 2].map(|cells| cells.min(channels as usize) as i64);
        OnGpu { count, channels, reach, k, alpha: alpha / size as f64, beta }
    }
}

#[cfg(all(test, feature = "emulated-cuda"))]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_gives_the_same_however_many_neighbours_count() {
        for (size, beta) in [(5, 0.75), (2, 0.6), (100, 1.0), (1, 0.75)] {
            let op = LocalResponseNorm(LocalResponseNormalization::new(size).alpha(0.3).beta(beta).k(2.0));
            crate::kernels::op::on_gpu::expect_the_same(&op, &[3, 4, 5, 9]);
        }
    }
}
