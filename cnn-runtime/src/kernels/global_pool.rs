//! Pooling over everything: the largest value or the mean of each channel of a sequence, an image or a volume.

use super::fill::in_chunks;
use super::op::{Unary, apply, expect_values};
use super::real::Real;
use super::share::for_each;
use super::sums::sharers;
use super::weighted::add_rows;
use crate::gpu::{Geometry, Gpu, Kernel, Work, arguments, tensor};
use candle_core::{Result, Shape, Storage, Tensor};

/// With other pools.
const FAMILY: &str = "pool";

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
    expect_values(xs, op.name)?;
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
                add_rows(out, image);
                out.iter_mut().for_each(|out| *out /= count);
            }
        }
    }

    /// The gradient of one image of `xs`; nothing is read of the image and of its output `ys` for a mean.
    fn unpool<T: Real>(&self, image: &[T], ys: &[T], grad: &[T], out: &mut [T]) {
        let channels = grad.len();
        if let Kind::Mean = self.kind {
            let count = T::of((out.len() / channels) as f64);
            let share: Vec<T> = grad.iter().map(|g| *g / count).collect();
            return out.chunks_exact_mut(channels).for_each(|out| out.copy_from_slice(&share));
        }
        let mut share = vec![T::zero(); channels];
        for pixel in image.chunks_exact(channels) {
            let ties = share.iter_mut().zip(pixel.iter().zip(ys));
            ties.for_each(|(count, (value, most))| *count += if value == most { T::one() } else { T::zero() });
        }
        share.iter_mut().zip(grad).for_each(|(share, g)| *share = *g / *share);
        for (out, pixel) in out.chunks_exact_mut(channels).zip(image.chunks_exact(channels)) {
            for (i, out) in out.iter_mut().enumerate() {
                *out = if pixel[i] == ys[i] { share[i] } else { T::zero() };
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
        let images = ys.chunks_exact_mut(channels).zip(xs.chunks_exact(len));
        for_each(images.collect(), |(ys, image): (&mut [T], &[T])| self.pool(image, ys));
        ys
    }

    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let (len, channels) = (dims[1..].iter().product(), dims[dims.len() - 1]);
        in_chunks(dims.iter().product(), len, |number, out| {
            // A mean reads neither, and they may be empty.
            let image = xs.get(number * len..(number + 1) * len).unwrap_or_default();
            let most = ys.get(number * channels..(number + 1) * channels).unwrap_or_default();
            self.unpool(image, most, &grad[number * channels..][..channels], out);
        })
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        let images = Images::of(xs.dims());
        match self.kind {
            Kind::Max => images.pool(gpu, ["global_most"; 2], xs, None, 1.0),
            Kind::Mean => images.pool(gpu, ["global_sum"; 2], xs, None, images.rows as f64),
        }
    }

    fn backward_on_gpu(&self, gpu: Gpu, xs: &Tensor, ys: &Tensor, grad: &Tensor, dims: &[usize]) -> Result<Storage> {
        let (images, count, dtype) = (Images::of(dims), dims.iter().product(), grad.dtype());
        let mut out = gpu.empty(dtype, count)?;
        let ties = match self.kind {
            Kind::Max => Some(images.pool(gpu, ["global_ties", "global_sum"], xs, Some(ys), 1.0)?),
            Kind::Mean => None,
        };
        let (name, arguments): (_, &mut [_]) = match &ties {
            Some(ties) => ("global_max_gradients", arguments![&mut out, xs, ys, ties, grad, &images]),
            None => ("global_mean_gradients", arguments![&mut out, grad, &images]),
        };
        // SAFETY: it reads and writes a value for each of the input, which are `count`, and reads one for each channel of an
        // example of the others.
        unsafe { gpu.launch(&Kernel::new(FAMILY, name, dtype), Work::Each(count), arguments) }?;
        Ok(out)
    }

    fn reads_input(&self) -> bool {
        matches!(self.kind, Kind::Max)
    }

    fn reads_output(&self) -> bool {
        matches!(self.kind, Kind::Max)
    }
}

/// Images, of any axes, whose pixels threads of a GPU share; as in `cuda/pool.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Images {
    examples: i64,
    /// Pixels of an image.
    rows: i64,
    channels: i64,
    /// The threads that share the pixels of a channel of an image.
    sharers: i64,
}

// SAFETY: it is numbers of one size, and so are those of `cuda/pool.cu`.
unsafe impl Geometry for Images {}

impl Images {
    fn of(dims: &[usize]) -> Self {
        let (examples, rows, channels) = (dims[0], dims[1..dims.len() - 1].iter().product(), dims[dims.len() - 1]);
        let sharers = sharers(rows, examples * channels);
        Self { examples: examples as i64, rows: rows as i64, channels: channels as i64, sharers: sharers as i64 }
    }

    /// `first` of each channel of each image of `xs`, by threads whose values are then put together by `then`, and divided.
    /// `first` may read the largest value of each, `most`.
    fn pool(self, gpu: Gpu, [first, then]: [&str; 2], xs: &Tensor, most: Option<&Tensor>, divisor: f64) -> Result<Storage> {
        if self.sharers == 1 {
            return self.fold(gpu, first, xs, most, divisor);
        }
        let parts = self.fold(gpu, first, xs, most, 1.0)?;
        let all = Self { rows: self.sharers, sharers: 1, ..self };
        all.fold(gpu, then, &tensor(parts, (self.examples * self.sharers * self.channels) as usize), None, divisor)
    }

    /// One of the folds of `cuda/pool.cu`, with a value for each thread.
    fn fold(&self, gpu: Gpu, name: &str, xs: &Tensor, most: Option<&Tensor>, divisor: f64) -> Result<Storage> {
        let (count, dtype) = ((self.examples * self.sharers * self.channels) as usize, xs.dtype());
        let mut ys = gpu.empty(dtype, count)?;
        let kernel = Kernel::new(FAMILY, name, dtype);
        // SAFETY: it reads the values of the images, one of `most` for each channel of each where it reads it at all, and
        // writes one for each thread.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut ys, xs, most, self, divisor]) }?;
        Ok(ys)
    }
}

#[cfg(all(test, feature = "emulated-cuda"))]
mod tests {
    use super::*;
    use crate::kernels::op::on_gpu::expect_the_same;

    #[test]
    fn a_gpu_gives_the_same_however_threads_share_the_pixels() {
        for dims in [vec![2, 40, 37, 3], vec![3, 5, 4], vec![1, 1, 1, 1, 7]] {
            expect_the_same(&GlobalPool { name: "max", kind: Kind::Max }, &dims);
            expect_the_same(&GlobalPool { name: "mean", kind: Kind::Mean }, &dims);
        }
    }
}
