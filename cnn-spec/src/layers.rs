//! Every layer of the language, one file each.

mod activation;
mod activity_regularization;
mod adaptive_average_pooling1d;
mod adaptive_average_pooling2d;
mod adaptive_average_pooling3d;
mod adaptive_max_pooling1d;
mod adaptive_max_pooling2d;
mod adaptive_max_pooling3d;
mod add;
mod alpha_dropout;
mod average;
mod average_pooling1d;
mod average_pooling2d;
mod average_pooling3d;
mod batch_normalization;
mod center_crop;
mod concatenate;
mod conv1d;
mod conv1d_transpose;
mod conv2d;
mod conv2d_transpose;
mod conv3d;
mod conv3d_transpose;
mod cropping1d;
mod cropping2d;
mod cropping3d;
mod dense;
mod depthwise_conv1d;
mod depthwise_conv2d;
mod dot;
mod dropout;
mod elu;
mod embedding;
mod flatten;
mod gaussian_dropout;
mod gaussian_noise;
mod global_average_pooling1d;
mod global_average_pooling2d;
mod global_average_pooling3d;
mod global_max_pooling1d;
mod global_max_pooling2d;
mod global_max_pooling3d;
mod group_normalization;
mod identity;
mod input;
mod layer_normalization;
mod leaky_relu;
mod local_response_normalization;
mod max_pooling1d;
mod max_pooling2d;
mod max_pooling3d;
mod maximum;
mod minimum;
mod multiply;
mod normalization;
mod permute;
mod prelu;
mod random_brightness;
mod random_contrast;
mod random_crop;
mod random_erasing;
mod random_flip;
mod random_rotation;
mod random_translation;
mod random_zoom;
mod relu;
mod repeat_vector;
mod rescaling;
mod reshape;
mod resizing;
mod rms_normalization;
mod separable_conv1d;
mod separable_conv2d;
mod softmax;
mod spatial_dropout1d;
mod spatial_dropout2d;
mod spatial_dropout3d;
mod subtract;
mod sum_pooling1d;
mod sum_pooling2d;
mod sum_pooling3d;
mod threshold;
mod unit_normalization;
mod up_sampling1d;
mod up_sampling2d;
mod up_sampling3d;
mod zero_padding1d;
mod zero_padding2d;
mod zero_padding3d;

use crate::layer::layers;
use crate::{Argument, Custom, Graph, Inferred, Operand, Refusal, Setting, ShapeError, Value, rules};

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
    threshold::Threshold,
    prelu::PReLU,
    batch_normalization::BatchNormalization,
    layer_normalization::LayerNormalization,
    group_normalization::GroupNormalization,
    rms_normalization::RMSNormalization,
    unit_normalization::UnitNormalization,
    local_response_normalization::LocalResponseNormalization,
    spatial_dropout1d::SpatialDropout1D,
    spatial_dropout2d::SpatialDropout2D,
    spatial_dropout3d::SpatialDropout3D,
    gaussian_noise::GaussianNoise,
    gaussian_dropout::GaussianDropout,
    alpha_dropout::AlphaDropout,
    activity_regularization::ActivityRegularization,
    add::Add,
    subtract::Subtract,
    multiply::Multiply,
    average::Average,
    maximum::Maximum,
    minimum::Minimum,
    concatenate::Concatenate,
    dot::Dot,
    max_pooling1d::MaxPooling1D,
    max_pooling3d::MaxPooling3D,
    average_pooling1d::AveragePooling1D,
    average_pooling3d::AveragePooling3D,
    sum_pooling1d::SumPooling1D,
    sum_pooling2d::SumPooling2D,
    sum_pooling3d::SumPooling3D,
    global_max_pooling1d::GlobalMaxPooling1D,
    global_max_pooling3d::GlobalMaxPooling3D,
    global_average_pooling1d::GlobalAveragePooling1D,
    global_average_pooling3d::GlobalAveragePooling3D,
    adaptive_average_pooling1d::AdaptiveAveragePooling1D,
    adaptive_average_pooling2d::AdaptiveAveragePooling2D,
    adaptive_average_pooling3d::AdaptiveAveragePooling3D,
    adaptive_max_pooling1d::AdaptiveMaxPooling1D,
    adaptive_max_pooling2d::AdaptiveMaxPooling2D,
    adaptive_max_pooling3d::AdaptiveMaxPooling3D,
    zero_padding1d::ZeroPadding1D,
    zero_padding2d::ZeroPadding2D,
    zero_padding3d::ZeroPadding3D,
    cropping1d::Cropping1D,
    cropping2d::Cropping2D,
    cropping3d::Cropping3D,
    up_sampling1d::UpSampling1D,
    up_sampling2d::UpSampling2D,
    up_sampling3d::UpSampling3D,
    reshape::Reshape,
    permute::Permute,
    repeat_vector::RepeatVector,
    identity::Identity,
    rescaling::Rescaling,
    normalization::Normalization,
    resizing::Resizing,
    center_crop::CenterCrop,
    random_flip::RandomFlip,
    random_rotation::RandomRotation,
    random_translation::RandomTranslation,
    random_zoom::RandomZoom,
    random_crop::RandomCrop,
    random_contrast::RandomContrast,
    random_brightness::RandomBrightness,
    random_erasing::RandomErasing,
    embedding::Embedding,
}
