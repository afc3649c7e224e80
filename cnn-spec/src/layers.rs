//! Every layer of the language, one file each.

use crate::layer::layers;
use crate::{Argument, Inferred, Operand, Refusal, Setting, ShapeError, Value, rules};

layers! {
    input::Input,
    conv1d::Conv1D,
    conv2d::Conv2D,
    conv3d::Conv3D,
    conv1d_transpose::Conv1DTranspose,
    conv2d_transpose::Conv2DTranspose,
    conv3d_transpose::Conv3DTranspose,
    depthwise_conv1d::DepthwiseConv1D,
    depthwise_conv2d::DepthwiseConv2D,
    separable_conv1d::SeparableConv1D,
    separable_conv2d::SeparableConv2D,
    max_pooling2d::MaxPooling2D,
    average_pooling2d::AveragePooling2D,
    global_max_pooling2d::GlobalMaxPooling2D,
    global_average_pooling2d::GlobalAveragePooling2D,
    flatten::Flatten,
    dense::Dense,
    dropout::Dropout,
    activation::Activation,
    relu::ReLU,
    softmax::Softmax,
    leaky_relu::LeakyReLU,
    elu::ELU,
    prelu::PReLU,
    batch_normalization::BatchNormalization,
    layer_normalization::LayerNormalization,
    group_normalization::GroupNormalization,
    local_response_normalization::LocalResponseNormalization,
    spatial_dropout1d::SpatialDropout1D,
    spatial_dropout2d::SpatialDropout2D,
    spatial_dropout3d::SpatialDropout3D,
    gaussian_noise::GaussianNoise,
}
