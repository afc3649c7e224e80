//! Depthwise convolution: each channel weighed by kernels of its own, side by side in the lanes of vectors.
//!
//! A channel with several kernels is repeated once for each, after which every channel has one.

use super::activation::{finish_on_gpu, undo_on_gpu};
use super::fill::in_chunks;
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

simd! {
    /// Sums what each kernel sees at the output pixels from `first` on, as many as `ys`, which is 0, has room for.
    fn convolve<T: Real, const N: usize>(geometry: &Geometry<N>, xs: &[T], weights: &[T], first: usize, ys: &mut [T]) {
        /// Sums that stay in registers while the taps go by.
        const LANES: usize = 32;
        let channels = geometry.channels;
        let mut seen = Vec::with_capacity(geometry.taps());
        for (row, ys) in ys.chunks_exact_mut(channels).enumerate() {
            seen.clear();
            geometry.for_each_seen(first + row, |cell, tap| seen.push((cell, tap * channels)));
            let (blocks, rest) = ys.as_chunks_mut::<LANES>();
            let done = channels - rest.len();
            for (block, ys) in blocks.iter_mut().enumerate() {
                let mut sums = [T::zero(); LANES];
                for (cell, tap) in &seen {
                    add_products(&mut sums, &xs[cell + block * LANES..], &weights[tap + block * LANES..]);
                }
                *ys = sums;
            }
            for (cell, tap) in &seen {
                add_products(rest, &xs[cell + done..], &weights[tap + done..]);
            }
        }
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
        for (row, grad) in grad.chunks_exact(channels).enumerate() {
            geometry.for_each_seen(row, |cell, tap| {
                add_products(&mut weight[tap * channels..][..channels], &images[cell..], grad);
                if !input.is_empty() {
                    add_products(&mut input[cell..][..channels], &weights[tap * channels..], grad);
                }
            });
        }
    }
}

/// Adds the products of the first elements of `a` and `b` to all of `sums`.
#[inline(always)]
fn add_products<T: Real>(sums: &mut [T], a: &[T], b: &[T]) {
    let (a, b) = (&a[..sums.len()], &b[..sums.len()]);
    for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
        *sum += *a * *b;
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
