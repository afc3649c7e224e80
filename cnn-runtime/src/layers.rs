//! Every layer of the language at run time, one file each: how it is built, and what it does to a tensor.

mod activation;
mod add;
mod average;
mod average_pooling2d;
mod batch_normalization;
mod concatenate;
mod conv1d;
mod conv1d_transpose;
mod conv2d;
mod conv2d_transpose;
mod conv3d;
mod conv3d_transpose;
mod dense;
mod depthwise_conv1d;
mod depthwise_conv2d;
mod dropout;
mod elu;
mod flatten;
mod gaussian_noise;
mod global_average_pooling2d;
mod global_max_pooling2d;
mod group_normalization;
mod input;
mod layer_normalization;
mod leaky_relu;
mod local_response_normalization;
mod max_pooling2d;
mod maximum;
mod minimum;
mod multiply;
mod prelu;
mod relu;
mod separable_conv1d;
mod separable_conv2d;
mod softmax;
mod spatial_dropout1d;
mod spatial_dropout2d;
mod spatial_dropout3d;
mod subtract;

pub use activation::Activation;
pub use add::Add;
pub use average::Average;
pub use average_pooling2d::AveragePooling2D;
pub use batch_normalization::BatchNormalization;
pub use concatenate::Concatenate;
pub use conv1d::Conv1D;
pub use conv1d_transpose::Conv1DTranspose;
pub use conv2d::Conv2D;
pub use conv2d_transpose::Conv2DTranspose;
pub use conv3d::Conv3D;
pub use conv3d_transpose::Conv3DTranspose;
pub use dense::Dense;
pub use depthwise_conv1d::DepthwiseConv1D;
pub use depthwise_conv2d::DepthwiseConv2D;
pub use dropout::Dropout;
pub use elu::ELU;
pub use flatten::Flatten;
pub use gaussian_noise::GaussianNoise;
pub use global_average_pooling2d::GlobalAveragePooling2D;
pub use global_max_pooling2d::GlobalMaxPooling2D;
pub use group_normalization::GroupNormalization;
pub use input::Input;
pub use layer_normalization::LayerNormalization;
pub use leaky_relu::LeakyReLU;
pub use local_response_normalization::LocalResponseNormalization;
pub use max_pooling2d::MaxPooling2D;
pub use maximum::Maximum;
pub use minimum::Minimum;
pub use multiply::Multiply;
pub use prelu::PReLU;
pub use relu::ReLU;
pub use separable_conv1d::SeparableConv1D;
pub use separable_conv2d::SeparableConv2D;
pub use softmax::Softmax;
pub use spatial_dropout1d::SpatialDropout1D;
pub use spatial_dropout2d::SpatialDropout2D;
pub use spatial_dropout3d::SpatialDropout3D;
pub use subtract::Subtract;

use crate::spec::{self, Inferred};
use crate::{Context, Seed, Weights, kernels};
use candle_core::{Result, Tensor};
use rand_chacha::ChaCha8Rng;

/// The tensors a layer trains, in the order of its rule.
fn tensors(inferred: &Inferred, weights: &Weights) -> Result<Vec<Tensor>> {
    inferred.parameters.as_slice().iter().map(|parameter| weights.get(parameter)).collect()
}

/// The weights and the biases of a normalisation, each if it has them.
fn affine(inferred: &Inferred, weights: &Weights) -> Result<(Option<Tensor>, Option<Tensor>)> {
    let of = |name: &str| {
        let parameter = inferred.parameters.as_slice().iter().find(|parameter| parameter.name == name);
        parameter.map(|parameter| weights.get(parameter)).transpose()
    };
    Ok((of("weight")?, of("bias")?))
}

/// The weights of a normalisation for `channels` as this pass sees them, and its biases: ones if it has no weights.
fn scale_and_shift(
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    channels: usize,
    xs: &Tensor,
    cx: &Context,
) -> Result<(Tensor, Option<Tensor>)> {
    let weight = match weight {
        Some(weight) => cx.parameter(weight).flatten_all()?,
        None => Tensor::ones(channels, xs.dtype(), xs.device())?,
    };
    Ok((weight, bias.map(|bias| cx.parameter(bias).flatten_all()).transpose()?))
}

/// The random numbers of a layer in this pass, if it draws any, from a seed of its own if it has one.
fn random(name: &str, seed: Option<usize>, cx: &Context) -> Option<ChaCha8Rng> {
    let cx = seed.map_or(*cx, |seed| cx.reseeded(Seed(seed as u64)));
    cx.random(name)
}

/// Drops whole feature maps of `xs`, if there are random numbers to choose them with.
fn spatial_dropout(xs: &Tensor, rate: f64, random: Option<ChaCha8Rng>) -> Result<Tensor> {
    let Some(random) = random else { return Ok(xs.clone()) };
    let mut mask = vec![1; xs.rank()];
    for axis in [0, xs.rank() - 1] {
        mask[axis] = xs.dims()[axis];
    }
    kernels::dropout_together(xs, rate, &mask, random)
}

/// The activation a layer ends in: all but a closing `softmax` that the pass leaves to the loss.
fn closing(activation: spec::Activation, cx: &Context) -> spec::Activation {
    match activation {
        spec::Activation::Softmax if cx.leaves_logits() => spec::Activation::Linear,
        activation => activation,
    }
}
