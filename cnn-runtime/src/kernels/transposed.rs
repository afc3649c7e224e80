//! Transposed convolution: a convolution with its passes exchanged.
//!
//! Its output is the gradient of a convolution's input, the gradient of its input that convolution's output, and the gradient
//! of its weights the same product with the roles of image and gradient exchanged.

use super::activation::finish_on_gpu;
use super::conv::Conv;
use super::patches::{Geometry, operand};
use super::real::Real;
use super::sums::column_sums_on_gpu;
use super::weighted::{self, Ending, Gradients, Kept, TensorGradients, Wants, Weighted, add_rows, expect_weight, finish};
use crate::Precision;
use crate::gpu::{Gpu, tensor};
use crate::spec::{Activation, TransposedConvolution};
use candle_core::{Result, Shape, Storage, Tensor};

/// Spreads each pixel of `xs`, `N, H, W, C` for images, by `weight`, `C, F, KH, KW`, adds `bias`, `F`, and applies
/// `activation`: `N, H', W', F` out.
///
/// # Errors
/// If the shapes do not agree.
pub(crate) fn conv_transpose<const N: usize>(
    xs: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    spec: &TransposedConvolution<N>,
    activation: Activation,
) -> Result<Tensor> {
    let geometry = Geometry::transposed(xs.dims(), spec)?;
    let channels = xs.dim(N + 1)?;
    expect_weight(spec.layer, weight, spec.infer(&[operand(xs.dims())]), channels)?;
    let conv = Conv { geometry, filters: channels, groups: 1, ends_in: Activation::Linear, precision: Precision::current() };
    weighted::apply(xs, weight, bias, activation, |ends_in| Transposed { conv, ends_in })
}

struct Transposed<const N: usize> {
    /// The convolution from its output to its input.
    conv: Conv<N>,
    ends_in: Activation,
}

impl<const N: usize> Transposed<N> {
    fn filters(&self) -> usize {
        self.conv.geometry.channels
    }
}

impl<const N: usize> Weighted for Transposed<N> {
    const NAME: &'static str = match N {
        1 => "Conv1DTranspose",
        2 => "Conv2DTranspose",
        _ => "Conv3DTranspose",
    };

    fn shape(&self) -> Shape {
        let Geometry { batch, input, channels, .. } = self.conv.geometry;
        [&[batch][..], &input, &[channels]].concat().into()
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        self.conv.input_gradient(weight, xs, |ys| finish(ys, self.filters(), bias.unwrap_or_default(), self.ends_in))
    }

    fn apart(&self, _of_weights_alone: bool) -> Option<(Activation, Self)> {
        (self.ends_in != Activation::Linear).then_some((self.ends_in, Self { conv: self.conv, ends_in: Activation::Linear }))
    }

    fn backward<T: Real>(&self, xs: &[T], weight: &[T], _ys: &[T], grad: &[T], of_input: Option<Ending<T>>) -> Gradients<T> {
        let mut bias = vec![T::zero(); self.filters()];
        add_rows(&mut bias, grad);
        let input = if of_input.is_some() { self.conv.forward(grad, weight, None) } else { Vec::new() };
        let Gradients { weight, .. } = self.conv.backward(grad, weight, &[], xs, None);
        Gradients { input, weight, bias }
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Storage> {
        let mut ys = self.conv.input_gradient_on_gpu(gpu, weight, xs)?;
        finish_on_gpu(gpu, &mut ys, self.shape().elem_count(), bias, self.ends_in)?;
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, tensors: Kept, grad: &Tensor, wants: Wants) -> Result<TensorGradients> {
        let Kept { xs, weight, .. } = tensors;
        let input = wants.input.then(|| self.conv.values_on_gpu(gpu, grad, weight)).transpose()?;
        Ok(TensorGradients {
            input: input.map(|input| tensor(input, xs.shape())),
            weight: self.conv.weight_gradient_on_gpu(gpu, grad, xs)?,
            bias: wants.bias.then(|| column_sums_on_gpu(gpu, &grad.reshape(((), self.filters()))?)).transpose()?,
        })
    }
}
