//! Pooling over windows: the largest value or the mean, for any window, stride and padding.

use super::op::{Unary, apply};
use super::patches::Geometry;
use super::real::Real;
use super::simd::simd;
use crate::spec::Sliding;
use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

/// The largest value of each window of each channel of `xs`, `N, H, W, C`; cells of padding never win.
///
/// The gradient goes to the first largest value of a window, row by row, as in Keras.
///
/// # Errors
/// If `xs` is not a batch of images, or the window does not fit them.
pub(crate) fn max_pool2d(xs: &Tensor, window: &Sliding<2>) -> Result<Tensor> {
    apply(xs, Pool { geometry: Geometry::new("MaxPooling2D", xs.dims(), window)?, kind: Kind::Max })
}

/// The mean of each window of each channel of `xs`, `N, H, W, C`; cells of padding do not count.
///
/// # Errors
/// If `xs` is not a batch of images, or the window does not fit them.
pub(crate) fn avg_pool2d(xs: &Tensor, window: &Sliding<2>) -> Result<Tensor> {
    apply(xs, Pool { geometry: Geometry::new("AveragePooling2D", xs.dims(), window)?, kind: Kind::Mean })
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Max,
    Mean,
}

struct Pool {
    geometry: Geometry,
    kind: Kind,
}

impl Pool {
    /// Calls `visit` with the place in an image of each cell that the window at output pixel `(y, x)` sees, row by row.
    #[inline(always)]
    fn for_each_cell(&self, y: usize, x: usize, mut visit: impl FnMut(usize)) {
        let geometry = &self.geometry;
        let across = geometry.inside(1, x);
        for down in geometry.inside(0, y) {
            let row = geometry.source(0, y, down) * geometry.input[1];
            for across in across.clone() {
                visit((row + geometry.source(1, x, across)) * geometry.channels);
            }
        }
    }

    /// The number of cells the window at output pixel `(y, x)` sees.
    #[inline(always)]
    fn count<T: Real>(&self, y: usize, x: usize) -> T {
        T::of((self.geometry.inside(0, y).len() * self.geometry.inside(1, x).len()) as f64)
    }
}

simd! {
    /// Pools row `y` of the output of one image into `ys`.
    fn pool_row<T: Real>(pool: &Pool, image: &[T], y: usize, ys: &mut [T]) {
        let channels = pool.geometry.channels;
        for (x, out) in ys.chunks_exact_mut(channels).enumerate() {
            match pool.kind {
                Kind::Max => {
                    out.fill(T::neg_infinity());
                    pool.for_each_cell(y, x, |cell| {
                        for (out, value) in out.iter_mut().zip(&image[cell..cell + channels]) {
                            *out = if *value > *out || value.is_nan() { *value } else { *out };
                        }
                    });
                }
                Kind::Mean => {
                    pool.for_each_cell(y, x, |cell| {
                        out.iter_mut().zip(&image[cell..cell + channels]).for_each(|(out, value)| *out += *value);
                    });
                    let count = pool.count::<T>(y, x);
                    out.iter_mut().for_each(|out| *out /= count);
                }
            }
        }
    }
}

simd! {
    /// Adds the gradient `grad` of the output `ys` of one image to that of the image, `sums`.
    ///
    /// The number of the cell that won in each channel is kept as a number of the same width as the values, so that the
    /// loops run over whole vectors.
    fn unpool_image<T: Real>(pool: &Pool, image: &[T], ys: &[T], grad: &[T], sums: &mut [T]) {
        let (channels, width) = (pool.geometry.channels, pool.geometry.output[1]);
        let mut winners = vec![T::zero(); channels];
        for (pixel, (out, grad)) in ys.chunks_exact(channels).zip(grad.chunks_exact(channels)).enumerate() {
            let (y, x) = (pixel / width, pixel % width);
            if pool.kind == Kind::Mean {
                let share = pool.count::<T>(y, x).recip();
                pool.for_each_cell(y, x, |cell| {
                    sums[cell..cell + channels].iter_mut().zip(grad).for_each(|(sum, g)| *sum += *g * share);
                });
                continue;
            }
            winners.fill(-T::one());
            let mut number = T::zero();
            pool.for_each_cell(y, x, |cell| {
                for ((winner, value), most) in winners.iter_mut().zip(&image[cell..cell + channels]).zip(out) {
                    *winner = if *winner < T::zero() && value == most { number } else { *winner };
                }
                number += T::one();
            });
            let mut number = T::zero();
            pool.for_each_cell(y, x, |cell| {
                for ((sum, winner), g) in sums[cell..cell + channels].iter_mut().zip(&winners).zip(grad) {
                    *sum += if *winner == number { *g } else { T::zero() };
                }
                number += T::one();
            });
        }
    }
}

impl Unary for Pool {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Max => "MaxPooling2D",
            Kind::Mean => "AveragePooling2D",
        }
    }

    fn shape(&self, _dims: &[usize]) -> Shape {
        let [height, width] = self.geometry.output;
        (self.geometry.batch, height, width, self.geometry.channels).into()
    }

    fn forward<T: Real>(&self, xs: &[T], _dims: &[usize]) -> Vec<T> {
        let Geometry { batch, channels, output: [height, width], .. } = self.geometry;
        let mut ys = vec![T::zero(); batch * height * width * channels];
        ys.par_chunks_mut((width * channels).max(1)).enumerate().for_each(|(row, ys)| {
            let image = &xs[row / height * self.geometry.image_len()..][..self.geometry.image_len()];
            pool_row(self, image, row % height, ys);
        });
        ys
    }

    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T], _dims: &[usize]) -> Vec<T> {
        let (image_len, output_len) = (self.geometry.image_len(), self.geometry.pixels() * self.geometry.channels);
        let mut out = vec![T::zero(); xs.len()];
        let images = xs.par_chunks(image_len).zip(ys.par_chunks(output_len)).zip(grad.par_chunks(output_len));
        out.par_chunks_mut(image_len)
            .zip(images)
            .for_each(|(sums, ((image, ys), grad))| unpool_image(self, image, ys, grad, sums));
        out
    }
}
