//! Depthwise convolution: each channel weighed by kernels of its own, side by side in the lanes of vectors.
//!
//! A channel with several kernels is repeated once for each, after which every channel has one.

use super::activation::{finish_on_gpu, undo_on_gpu};
use super::fill::in_chunks;
use super::lanes::{for_lanes, some, some_mut};
use super::patches::{Geometry, operand};
use super::pieces::sum_over_pieces;
use super::real::Real;
use super::simd::simd;
use super::sums::column_sums_on_gpu;
use super::turn::turn;
use super::weighted::{
    self, Ending, Gradients, Kept, TensorGradients, Wants, Weighted, add_rows, expect_weight, finish, undo_activation,
};
use crate::gpu::{Gpu, Kernel, Window, Work, arguments, tensor};
use crate::spec::{Activation, DepthwiseConvolution};
use candle_core::{Result, Shape, Storage, Tensor};
use std::borrow::Cow;

/// Convolves each channel of `xs`, `N, H, W, C` for images, with its `M` kernels of `weight`, `C·M, 1, KH, KW`, adds `bias`,
/// `C·M`, and applies `activation`: `N, H', W', C·M` out.
///
/// # Errors
/// If the shapes do not agree.
pub(crate) fn depthwise_conv<const N: usize>(
    xs: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    spec: &DepthwiseConvolution<N>,
    activation: Activation,
) -> Result<Tensor> {
    let geometry = Geometry::new(spec.layer, xs.dims(), &spec.window)?;
    expect_weight(spec.layer, weight, spec.infer(&[operand(xs.dims())]), geometry.channels)?;
    depthwise_of(xs, weight, bias, geometry, spec.depth_multiplier, activation)
}

/// The same with shapes that are known to agree: what a convolution with as many groups as channels is, too.
pub(super) fn depthwise_of<const N: usize>(
    xs: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    geometry: Geometry<N>,
    multiplier: usize,
    activation: Activation,
) -> Result<Tensor> {
    let geometry = Geometry { channels: geometry.channels * multiplier, ..geometry };
    weighted::apply(xs, weight, bias, activation, |ends_in| Depthwise { geometry, multiplier, ends_in })
}

/// Values of output that a thread computes at a time.
const BLOCK: usize = 16 * 1024;

struct Depthwise<const N: usize> {
    /// The geometry over repeated channels.
    geometry: Geometry<N>,
    /// How often each channel is repeated.
    multiplier: usize,
    ends_in: Activation,
}

impl<const N: usize> Depthwise<N> {
    /// `xs` with each channel as often as it has kernels.
    fn repeat<'a, T: Real>(&self, xs: &'a [T]) -> Cow<'a, [T]> {
        match self.multiplier {
            1 => Cow::Borrowed(xs),
            times => xs.iter().flat_map(|x| std::iter::repeat_n(*x, times)).collect(),
        }
    }

    /// The gradient of the channels from that of their repetitions.
    fn gather_repeated<T: Real>(&self, grad: Vec<T>) -> Vec<T> {
        match self.multiplier {
            1 => grad,
            times => grad.chunks_exact(times).map(|chunk| chunk.iter().copied().sum()).collect(),
        }
    }
}

/// The matrix of `rows` rows that fills `values`, transposed: kernels by channel to taps by channel, and back.
fn transpose<T: Real>(values: &[T], rows: usize) -> Vec<T> {
    let columns = values.len() / rows;
    let mut turned = vec![T::zero(); values.len()];
    turn(values, [rows, columns], [columns, rows], &mut turned);
    turned
}

/// Calls `$body` for runs of output pixels, counted from `$first` on, that see by the same taps, with the cell that the first one sees by each
/// and where that tap's weights are; the next one sees cells `$step` further.
macro_rules! for_runs {
    ($geometry:ident, $first:expr, $count:expr, ($rows:ident, $seen:ident, $step:ident) => $body:block) => {{
        let ($step, mut $seen) = ($geometry.strides[N - 1] * $geometry.channels, Vec::with_capacity($geometry.taps()));
        let (count, mut start) = ($count, 0);
        while start < count {
            let $rows = start..count.min(start + $geometry.alike($first + start));
            $seen.clear();
            $geometry.for_each_seen($first + start, |cell, tap| $seen.push((cell, tap * $geometry.channels)));
            start = $rows.end;
            $body
        }
    }};
}
simd! {
    /// Sums what each kernel sees at the output pixels from `first` on, as many as `ys` has room for.
    fn convolve<T: Real, const N: usize>(geometry: &Geometry<N>, xs: &[T], weights: &[T], first: usize, ys: &mut [T]) {
        let channels = geometry.channels;
        for_runs!(geometry, first, ys.len() / channels, (rows, seen, step) => {
            let ys = &mut ys[rows.start * channels..rows.end * channels];
            for_lanes!(channels, convolve_columns::<T>(ys, xs, weights, &seen, [channels, step]));
        });
    }
}

simd! {
    /// Adds the gradients of the weights, and of the images unless `input` is empty, for some images and the gradient `grad`
    /// of their output.
    fn unconvolve<T: Real, const N: usize>(
        geometry: &Geometry<N>,
        images: &[T],
        weights: &[T],
        grad: &[T],
        input: &mut [T],
        weight: &mut [T],
    ) {
        let channels = geometry.channels;
        for_runs!(geometry, 0, grad.len() / channels, (rows, seen, step) => {
            let grad = &grad[rows.start * channels..rows.end * channels];
            for_lanes!(channels, add_weight_gradients::<T>(weight, [images, grad], &seen, [channels, step]));
            if !input.is_empty() {
                for_lanes!(channels, add_input_gradients::<T>(input, [weights, grad], &seen, [channels, step]));
            }
        });
    }
}

/// A few channels of a run of pixels.
#[inline(always)]
fn convolve_columns<T: Real, const N: usize>(
    first: usize,
    ys: &mut [T],
    xs: &[T],
    weights: &[T],
    seen: &[(usize, usize)],
    [channels, step]: [usize; 2],
) {
    /// Pixels whose sums stay in registers while the taps go by.
    const PIXELS: usize = 4;
    let (count, mut pixel) = (ys.len() / channels, 0);
    while pixel + PIXELS <= count {
        let sums = sums_of::<T, N, PIXELS>([xs, weights], seen, [first, pixel * step, step]);
        for (at, sums) in sums.iter().enumerate() {
            *some_mut(ys, (pixel + at) * channels + first) = *sums;
        }
        pixel += PIXELS;
    }
    for pixel in pixel..count {
        let [sums] = sums_of::<T, N, 1>([xs, weights], seen, [first, pixel * step, step]);
        *some_mut(ys, pixel * channels + first) = sums;
    }
}

/// The sums of some pixels, for the channels from `first` on; what the first one sees is `after` that of the run's first.
#[inline(always)]
fn sums_of<T: Real, const N: usize, const PIXELS: usize>(
    [xs, weights]: [&[T]; 2],
    seen: &[(usize, usize)],
    [first, after, step]: [usize; 3],
) -> [[T; N]; PIXELS] {
    let mut sums = [[T::zero(); N]; PIXELS];
    for (cell, tap) in seen {
        let (weights, xs) = (some::<T, N>(weights, tap + first), &xs[cell + after + first..]);
        for (pixel, sums) in sums.iter_mut().enumerate() {
            let xs = some::<T, N>(xs, pixel * step);
            for i in 0..N {
                sums[i] += xs[i] * weights[i];
            }
        }
    }
    sums
}

/// Of a few channels of a run of pixels.
#[inline(always)]
fn add_weight_gradients<T: Real, const N: usize>(
    first: usize,
    weight: &mut [T],
    [xs, grad]: [&[T]; 2],
    seen: &[(usize, usize)],
    [channels, step]: [usize; 2],
) {
    for (cell, tap) in seen {
        let mut sums = *some::<T, N>(weight, tap + first);
        for (pixel, grad) in grad.chunks_exact(channels).enumerate() {
            let (xs, grad) = (some::<T, N>(xs, cell + pixel * step + first), some::<T, N>(grad, first));
            for i in 0..N {
                sums[i] += xs[i] * grad[i];
            }
        }
        *some_mut(weight, tap + first) = sums;
    }
}

/// Of a few channels of a run of pixels.
#[inline(always)]
fn add_input_gradients<T: Real, const N: usize>(
    first: usize,
    input: &mut [T],
    [weights, grad]: [&[T]; 2],
    seen: &[(usize, usize)],
    [channels, step]: [usize; 2],
) {
    for (cell, tap) in seen {
        let weights = some::<T, N>(weights, tap + first);
        for (pixel, grad) in grad.chunks_exact(channels).enumerate() {
            let (at, grad) = (cell + pixel * step + first, some::<T, N>(grad, first));
            let mut sums = *some::<T, N>(input, at);
            for i in 0..N {
                sums[i] += weights[i] * grad[i];
            }
            *some_mut(input, at) = sums;
        }
    }
}

impl<const N: usize> Weighted for Depthwise<N> {
    const NAME: &'static str = match N {
        1 => "DepthwiseConv1D",
        2 => "DepthwiseConv2D",
        _ => "Conv3D",
    };

    fn shape(&self) -> Shape {
        self.geometry.output_shape(self.geometry.channels)
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        let channels = self.geometry.channels;
        let (xs, weights) = (self.repeat(xs), transpose(weight, channels));
        let rows = (BLOCK / channels).max(1);
        in_chunks(self.geometry.batch * self.geometry.pixels() * channels, rows * channels, |block, ys| {
            convolve(&self.geometry, &xs, &weights, block * rows, ys);
            finish(ys, channels, bias.unwrap_or_default(), self.ends_in);
        })
    }

    fn backward<T: Real>(&self, xs: &[T], weight: &[T], ys: &[T], grad: &[T], of_input: Option<Ending<T>>) -> Gradients<T> {
        let (channels, image_len) = (self.geometry.channels, self.geometry.image_len());
        let (xs, weights) = (self.repeat(xs), transpose(weight, channels));
        let output_len = self.geometry.pixels() * channels;
        let lens = [weight.len(), channels];
        let sums = sum_over_pieces(self.geometry.batch, lens, of_input.map(|_| image_len), |images, input| {
            let (mut weight, mut bias, mut before) = (vec![T::zero(); lens[0]], vec![T::zero(); lens[1]], Vec::new());
            let outputs = images.start * output_len..images.end * output_len;
            let grad = undo_activation(self.ends_in, &ys[outputs.clone()], &grad[outputs], &mut before);
            add_rows(&mut bias, grad);
            let images = &xs[images.start * image_len..images.end * image_len];
            unconvolve(&self.geometry, images, &weights, grad, input.unwrap_or_default(), &mut weight);
            (weight, bias)
        });
        let taps = self.geometry.taps();
        Gradients { input: self.gather_repeated(sums.input), weight: transpose(&sums.weight, taps), bias: sums.bias }
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Storage> {
        let (count, weights) = (self.shape().elem_count(), self.taps_first(weight)?);
        let mut ys = gpu.empty(xs.dtype(), count)?;
        let kernel = Kernel::new(FAMILY, "depthwise_values", xs.dtype());
        let window = self.window();
        let arguments = arguments![&mut ys, xs, &weights, &window, self.multiplier];
        // SAFETY: it reads the images and weights of this geometry, and writes `count` values, as many as its output has.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments) }?;
        finish_on_gpu(gpu, &mut ys, count, bias, self.ends_in)?;
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, tensors: Kept, grad: &Tensor, wants: Wants) -> Result<TensorGradients> {
        let Kept { xs, weight, ys } = tensors;
        let grad = undo_on_gpu(gpu, self.ends_in, ys, grad)?;
        Ok(TensorGradients {
            input: wants.input.then(|| self.input_gradient_on_gpu(gpu, xs, weight, &grad)).transpose()?,
            weight: self.weight_gradient_on_gpu(gpu, xs, &grad)?.reshape(weight.shape())?,
            bias: wants.bias.then(|| column_sums_on_gpu(gpu, &grad.reshape(((), self.geometry.channels))?)).transpose()?,
        })
    }
}

const FAMILY: &str = "depthwise";

impl<const N: usize> Depthwise<N> {
    /// The geometry over channels as they are.
    fn window(&self) -> Window {
        Geometry { channels: self.geometry.channels / self.multiplier, ..self.geometry }.window()
    }

    /// The weights `C·M, 1, KH, KW` as `KH·KW, C·M`.
    fn taps_first(&self, weight: &Tensor) -> Result<Tensor> {
        weight.reshape((self.geometry.channels, self.geometry.taps()))?.t()?.contiguous()
    }

    fn input_gradient_on_gpu(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, grad: &Tensor) -> Result<Tensor> {
        let (count, weights) = (xs.elem_count(), self.taps_first(weight)?);
        let mut input = gpu.empty(grad.dtype(), count)?;
        let kernel = Kernel::new(FAMILY, "depthwise_images", grad.dtype());
        let window = self.window();
        let arguments = arguments![&mut input, &weights, grad, &window, self.multiplier];
        // SAFETY: it reads the weights and the output's gradient of this geometry, and writes `count` values, as many as the images
        // have.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments) }?;
        Ok(tensor(input, xs.shape()))
    }

    /// The gradient of the weights, `C·M, KH·KW`.
    fn weight_gradient_on_gpu(&self, gpu: Gpu, xs: &Tensor, grad: &Tensor) -> Result<Tensor> {
        /// Output positions that a thread adds up.
        const LENGTH: usize = 64;
        let (rows, taps) = (self.geometry.batch * self.geometry.pixels(), self.geometry.taps());
        let (pieces, width) = (rows.div_ceil(LENGTH).max(1), taps * self.geometry.channels);
        let mut sums = gpu.empty(grad.dtype(), pieces * width)?;
        let kernel = Kernel::new(FAMILY, "depthwise_weights", grad.dtype());
        let window = self.window();
        let arguments = arguments![&mut sums, xs, grad, &window, self.multiplier, pieces, LENGTH];
        // SAFETY: it reads the images and the output's gradient of this geometry, and writes `pieces` sums for each weight.
        unsafe { gpu.launch(&kernel, Work::Each(pieces * width), arguments) }?;
        let sums = column_sums_on_gpu(gpu, &tensor(sums, (pieces, width)))?;
        sums.reshape((taps, self.geometry.channels))?.t()?.contiguous()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{DepthwiseConv2D, Padding};
    use crate::testing::numbers;

    /// The output, and the gradients of the images and of the weights, product by product.
    fn exact(geometry: &Geometry, xs: &[f64], weight: &[f64], grad: &[f64]) -> [Vec<f64>; 3] {
        let (channels, taps) = (geometry.channels, geometry.taps());
        let mut found = [vec![0.0; grad.len()], vec![0.0; xs.len()], vec![0.0; weight.len()]];
        for row in 0..geometry.batch * geometry.pixels() {
            geometry.for_each_seen(row, |cell, tap| {
                for channel in 0..channels {
                    let (y, x, w) = (row * channels + channel, cell + channel, channel * taps + tap);
                    found[0][y] += xs[x] * weight[w];
                    found[1][x] += grad[y] * weight[w];
                    found[2][w] += grad[y] * xs[x];
                }
            });
        }
        found
    }

    #[test]
    fn runs_of_pixels_are_the_sums_of_their_products() {
        for (padding, strides, dilation) in [
            (Padding::Valid, [1, 1], [1, 1]),
            (Padding::Same, [1, 1], [1, 1]),
            (Padding::Same, [2, 3], [1, 1]),
            (Padding::Explicit([[2, 0], [4, 1]]), [1, 1], [2, 2]),
            (Padding::Explicit([[0, 3], [0, 3]]), [1, 2], [1, 1]),
        ] {
            for (channels, size) in [(1, [3, 3]), (16, [3, 2]), (21, [1, 5]), (33, [3, 3])] {
                let spec = DepthwiseConv2D::new(size).strides(strides).dilation_rate(dilation).padding(padding);
                let dims = [3, 7, 12, channels];
                let geometry: Geometry = Geometry::new("test", &dims, &spec.convolution().window).unwrap();
                let op = Depthwise { geometry, multiplier: 1, ends_in: Activation::Linear };
                let (xs, weight) = (numbers::<f64>(dims.iter().product(), 1), numbers::<f64>(geometry.taps() * channels, 2));
                let grad = numbers::<f64>(op.shape().elem_count(), 3);
                let ys = op.forward(&xs, &weight, None);
                let gradients = op.backward(&xs, &weight, &ys, &grad, Some(Ending::default()));
                for (found, expected) in [ys, gradients.input, gradients.weight].iter().zip(exact(&geometry, &xs, &weight, &grad))
                {
                    let distance = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                    assert!(found.len() == expected.len() && distance < 1e-12, "{spec:?} of {channels} channels: {distance}");
                }
            }
        }
    }
}
