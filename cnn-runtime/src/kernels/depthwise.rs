//! Depthwise convolution: each channel weighed by kernels of its own.

use super::activation::{finish_on_gpu, undo_on_gpu};
use super::grouped::Grouped;
use super::patches::{Geometry, operand};
use super::real::Real;
use super::sums::column_sums_on_gpu;
use super::weighted::{self, Ending, Gradients, Kept, TensorGradients, Wants, Weighted, expect_weight};
use crate::gpu::{Gpu, Kernel, Work, arguments, tensor};
use crate::spec::{Activation, DepthwiseConvolution};
use candle_core::{Result, Shape, Storage, Tensor};

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
    weighted::apply(xs, weight, bias, activation, |ends_in| Depthwise { geometry, multiplier, ends_in })
}

struct Depthwise<const N: usize> {
    geometry: Geometry<N>,
    /// The kernels of a channel.
    multiplier: usize,
    ends_in: Activation,
}

impl<const N: usize> Depthwise<N> {
    fn filters(&self) -> usize {
        self.geometry.channels * self.multiplier
    }

    fn grouped(&self) -> Grouped<N> {
        Grouped { geometry: self.geometry, filters: self.filters(), groups: self.geometry.channels }
    }
}

impl<const N: usize> Weighted for Depthwise<N> {
    const NAME: &'static str = match N {
        1 => "DepthwiseConv1D",
        2 => "DepthwiseConv2D",
        _ => "Conv3D",
    };

    fn shape(&self) -> Shape {
        self.geometry.output_shape(self.filters())
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        let grouped = self.grouped();
        grouped.forward(xs, &grouped.weights(weight), Ending { bias, activation: self.ends_in, ..Ending::default() })
    }

    fn backward<T: Real>(&self, xs: &[T], weight: &[T], ys: &[T], grad: &[T], of_input: Option<Ending<T>>) -> Gradients<T> {
        self.grouped().backward([xs, weight, ys, grad], self.ends_in, of_input.is_some())
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Storage> {
        let (count, weights) = (self.shape().elem_count(), self.taps_first(weight)?);
        let mut ys = gpu.empty(xs.dtype(), count)?;
        let kernel = Kernel::new(FAMILY, "depthwise_values", xs.dtype());
        let window = self.geometry.window();
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
            bias: wants.bias.then(|| column_sums_on_gpu(gpu, &grad.reshape(((), self.filters()))?)).transpose()?,
        })
    }
}

const FAMILY: &str = "depthwise";

impl<const N: usize> Depthwise<N> {
    /// The weights `C·M, 1, KH, KW` as `KH·KW, C·M`.
    fn taps_first(&self, weight: &Tensor) -> Result<Tensor> {
        weight.reshape((self.filters(), self.geometry.taps()))?.t()?.contiguous()
    }

    fn input_gradient_on_gpu(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, grad: &Tensor) -> Result<Tensor> {
        let (count, weights) = (xs.elem_count(), self.taps_first(weight)?);
        let mut input = gpu.empty(grad.dtype(), count)?;
        let kernel = Kernel::new(FAMILY, "depthwise_images", grad.dtype());
        let window = self.geometry.window();
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
        let (pieces, width) = (rows.div_ceil(LENGTH).max(1), taps * self.filters());
        let mut sums = gpu.empty(grad.dtype(), pieces * width)?;
        let kernel = Kernel::new(FAMILY, "depthwise_weights", grad.dtype());
        let window = self.geometry.window();
        let arguments = arguments![&mut sums, xs, grad, &window, self.multiplier, pieces, LENGTH];
        // SAFETY: it reads the images and the output's gradient of this geometry, and writes `pieces` sums for each weight.
        unsafe { gpu.launch(&kernel, Work::Each(pieces * width), arguments) }?;
        let sums = column_sums_on_gpu(gpu, &tensor(sums, (pieces, width)))?;
        sums.reshape((taps, self.filters()))?.t()?.contiguous()
    }
}
