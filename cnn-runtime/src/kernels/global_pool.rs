//! Pooling over everything: the largest value or the mean of each channel of a sequence, an image or a volume.

use super::op::{Unary, apply};
use super::real::Real;
use candle_core::{Result, Shape, Tensor};

/// The largest value of each channel of `xs`, `N, …, C` with `A` axes between: `N, C` out. Cells that tie share the gradient.
///
/// # Errors
/// If `xs` has other axes, or no cell; messages say it is of the layer `name`.
pub(crate) fn global_max_pool<const A: usize>(name: &'static str, xs: &Tensor) -> Result<Tensor> {
    pool::<A>(xs, GlobalPool { name, kind: Kind::Max })
}

/// The mean of each channel of `xs`, `N, …, C` with `A` axes between: `N, C` out.
///
/// # Errors
/// If `xs` has other axes, or no cell; messages say it is of the layer `name`.
pub(crate) fn global_avg_pool<const A: usize>(name: &'static str, xs: &Tensor) -> Result<Tensor> {
    pool::<A>(xs, GlobalPool { name, kind: Kind::Mean })
}

fn pool<const A: usize>(xs: &Tensor, op: GlobalPool) -> Result<Tensor> {
    let dims = xs.dims();
    if dims.len() != A + 2 {
        candle_core::bail!("`{}` takes a batch of {} axes, found {}", op.name, A + 2, dims.len());
    }
    if dims[1..=A].contains(&0) {
        candle_core::bail!("`{}` takes inputs of at least one cell, found {dims:?}", op.name);
    }
    apply(xs, op)
}

struct GlobalPool {
    name: &'static str,
    kind: Kind,
}

enum Kind {
    Max,
    Mean,
}

impl GlobalPool {
    fn pool<T: Real>(&self, image: &[T], out: &mut [T]) {
        let pixels = image.chunks_exact(out.len());
        match self.kind {
            Kind::Max => {
                out.fill(T::neg_infinity());
                for pixel in pixels {
                    for (out, value) in out.iter_mut().zip(pixel) {
                        *out = if *value > *out || value.is_nan() { *value } else { *out };
                    }
                }
            }
            Kind::Mean => {
                let count = T::of(pixels.len() as f64);
                for pixel in pixels {
                    out.iter_mut().zip(pixel).for_each(|(out, value)| *out += *value);
                }
                out.iter_mut().for_each(|out| *out /= count);
            }
        }
    }

    fn unpool<T: Real>(&self, image: &[T], ys: &[T], grad: &[T], out: &mut [T]) {
        let channels = ys.len();
        let mut share = vec![T::zero(); channels];
        match self.kind {
            Kind::Max => {
                for pixel in image.chunks_exact(channels) {
                    let ties = share.iter_mut().zip(pixel.iter().zip(ys));
                    ties.for_each(|(count, (value, most))| *count += if value == most { T::one() } else { T::zero() });
                }
            }
            Kind::Mean => share.fill(T::of((image.len() / channels) as f64)),
        }
        share.iter_mut().zip(grad).for_each(|(share, g)| *share = *g / *share);
        for (out, pixel) in out.chunks_exact_mut(channels).zip(image.chunks_exact(channels)) {
            for (i, out) in out.iter_mut().enumerate() {
                *out = if matches!(self.kind, Kind::Mean) || pixel[i] == ys[i] { share[i] } else { T::zero() };
            }
        }
    }
}

impl Unary for GlobalPool {
    fn name(&self) -> &'static str {
        self.name
    }

    fn shape(&self, dims: &[usize]) -> Shape {
        (dims[0], dims[dims.len() - 1]).into()
    }

    fn forward<T: Real>(&self, xs: &[T], dims: &[usize]) -> Vec<T> {
        let (len, channels) = (dims[1..].iter().product(), dims[dims.len() - 1]);
        let mut ys = vec![T::zero(); dims[0] * channels];
        for (ys, image) in ys.chunks_exact_mut(channels).zip(xs.chunks_exact(len)) {
            self.pool(image, ys);
        }
        ys
    }

    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let (len, channels) = (dims[1..].iter().product(), dims[dims.len() - 1]);
        let mut out = vec![T::zero(); xs.len()];
        let images = xs.chunks_exact(len).zip(ys.chunks_exact(channels)).zip(grad.chunks_exact(channels));
        for (out, ((image, ys), grad)) in out.chunks_exact_mut(len).zip(images) {
            self.unpool(image, ys, grad, out);
        }
        out
    }
}
