//! Pooling over whole images: the largest value or the mean of each channel.

use super::op::{Unary, apply};
use super::real::Real;
use candle_core::{Result, Shape, Tensor};

/// The largest value of each channel of `xs`, `N, H, W, C`: `N, C` out. Cells that tie share the gradient.
///
/// # Errors
/// If `xs` is not a batch of images of at least one pixel.
pub(crate) fn global_max_pool2d(xs: &Tensor) -> Result<Tensor> {
    pool(xs, GlobalPool::Max)
}

/// The mean of each channel of `xs`, `N, H, W, C`: `N, C` out.
///
/// # Errors
/// If `xs` is not a batch of images of at least one pixel.
pub(crate) fn global_avg_pool2d(xs: &Tensor) -> Result<Tensor> {
    pool(xs, GlobalPool::Mean)
}

fn pool(xs: &Tensor, op: GlobalPool) -> Result<Tensor> {
    let (_, height, width, _) = xs.dims4()?;
    if height == 0 || width == 0 {
        candle_core::bail!("`{}` takes images of at least one pixel, found {height}×{width}", op.name());
    }
    apply(xs, op)
}

enum GlobalPool {
    Max,
    Mean,
}

impl GlobalPool {
    fn pool<T: Real>(&self, image: &[T], out: &mut [T]) {
        let pixels = image.chunks_exact(out.len());
        match self {
            GlobalPool::Max => {
                out.fill(T::neg_infinity());
                for pixel in pixels {
                    for (out, value) in out.iter_mut().zip(pixel) {
                        *out = if *value > *out || value.is_nan() { *value } else { *out };
                    }
                }
            }
            GlobalPool::Mean => {
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
        match self {
            GlobalPool::Max => {
                for pixel in image.chunks_exact(channels) {
                    let ties = share.iter_mut().zip(pixel.iter().zip(ys));
                    ties.for_each(|(count, (value, most))| *count += if value == most { T::one() } else { T::zero() });
                }
            }
            GlobalPool::Mean => share.fill(T::of((image.len() / channels) as f64)),
        }
        share.iter_mut().zip(grad).for_each(|(share, g)| *share = *g / *share);
        for (out, pixel) in out.chunks_exact_mut(channels).zip(image.chunks_exact(channels)) {
            for (i, out) in out.iter_mut().enumerate() {
                *out = if matches!(self, GlobalPool::Mean) || pixel[i] == ys[i] { share[i] } else { T::zero() };
            }
        }
    }
}

impl Unary for GlobalPool {
    fn name(&self) -> &'static str {
        match self {
            GlobalPool::Max => "GlobalMaxPooling2D",
            GlobalPool::Mean => "GlobalAveragePooling2D",
        }
    }

    fn shape(&self, dims: &[usize]) -> Shape {
        (dims[0], dims[3]).into()
    }

    fn forward<T: Real>(&self, xs: &[T], dims: &[usize]) -> Vec<T> {
        let image_len = dims[1..].iter().product();
        let mut ys = vec![T::zero(); dims[0] * dims[3]];
        for (ys, image) in ys.chunks_exact_mut(dims[3]).zip(xs.chunks_exact(image_len)) {
            self.pool(image, ys);
        }
        ys
    }

    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let image_len = dims[1..].iter().product();
        let mut out = vec![T::zero(); xs.len()];
        let images = xs.chunks_exact(image_len).zip(ys.chunks_exact(dims[3])).zip(grad.chunks_exact(dims[3]));
        for (out, ((image, ys), grad)) in out.chunks_exact_mut(image_len).zip(images) {
            self.unpool(image, ys, grad, out);
        }
        out
    }
}
