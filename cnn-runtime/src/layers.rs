//! Every layer of the language at run time, one file each: how it is built, and what it does to a tensor.

mod activation;
mod average_pooling2d;
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
mod flatten;
mod global_average_pooling2d;
mod global_max_pooling2d;
mod input;
mod max_pooling2d;
mod relu;
mod separable_conv1d;
mod separable_conv2d;
mod softmax;

pub use activation::Activation;
pub use average_pooling2d::AveragePooling2D;
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
pub use flatten::Flatten;
pub use global_average_pooling2d::GlobalAveragePooling2D;
pub use global_max_pooling2d::GlobalMaxPooling2D;
pub use input::Input;
pub use max_pooling2d::MaxPooling2D;
pub use relu::ReLU;
pub use separable_conv1d::SeparableConv1D;
pub use separable_conv2d::SeparableConv2D;
pub use softmax::Softmax;

use crate::spec::{self, Inferred};
use crate::{Context, Weights};
use candle_core::{Result, Tensor};

/// The tensors a layer trains, in the order of its rule.
fn tensors(inferred: &Inferred, weights: &Weights) -> Result<Vec<Tensor>> {
    inferred.parameters.as_slice().iter().map(|parameter| weights.get(parameter)).collect()
}

/// The activation a layer ends in: all but a closing `softmax` that the pass leaves to the loss.
fn closing(activation: spec::Activation, cx: &Context) -> spec::Activation {
    match activation {
        spec::Activation::Softmax if cx.leaves_logits() => spec::Activation::Linear,
        activation => activation,
    }
}
