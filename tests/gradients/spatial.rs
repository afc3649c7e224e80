//! The cases of pooling, reshaping, resizing and the input side.

use super::Case;
use cnn_runtime::spec::layers::*;
use cnn_runtime::spec::{Axes, Dim, FlipMode, Layer, Numbers, Padding, Resampling, Target};

const SEQUENCES: [&[usize]; 3] = [&[1, 7, 2], &[3, 6, 1], &[3, 5, 3]];
const IMAGES: [&[usize]; 3] = [&[1, 5, 4, 2], &[3, 4, 6, 1], &[3, 3, 5, 2]];
const VOLUMES: [&[usize]; 3] = [&[1, 3, 4, 5, 1], &[3, 4, 3, 3, 1], &[1, 3, 5, 3, 2]];

/// Each layer on each batch.
fn each<const N: usize>(layers: impl IntoIterator<Item = Layer>, shapes: [&[usize]; N]) -> Vec<Case> {
    layers.into_iter().flat_map(|layer| shapes.map(|shape| (layer, shape.to_vec()))).collect()
}

pub fn max_pooling1d() -> Vec<Case> {
    let pool = MaxPooling1D::new().pool_size([3]);
    let layers = [
        pool,
        pool.strides(Some([1])).padding(Padding::Same),
        pool.strides(Some([2])).padding(Padding::Full),
        pool.strides(Some([2])).padding(Padding::Explicit([[1, 0]])),
    ];
    each(layers.map(Layer::MaxPooling1D), SEQUENCES)
}

pub fn max_pooling3d() -> Vec<Case> {
    let pool = MaxPooling3D::new().pool_size([2, 3, 2]);
    let layers = [
        pool,
        pool.strides(Some([1, 1, 1])).padding(Padding::Same),
        pool.strides(Some([1, 2, 1])).padding(Padding::Full),
        pool.strides(Some([1, 2, 1])).padding(Padding::Explicit([[1, 0], [0, 1], [1, 1]])),
    ];
    each(layers.map(Layer::MaxPooling3D), VOLUMES)
}

pub fn average_pooling1d() -> Vec<Case> {
    let pool = AveragePooling1D::new([3]);
    let layers = [
        pool,
        pool.strides(Some([1])).padding(Padding::Same),
        pool.strides(Some([2])).padding(Padding::Full),
        pool.strides(Some([2])).padding(Padding::Explicit([[1, 0]])),
    ];
    each(layers.map(Layer::AveragePooling1D), SEQUENCES)
}

pub fn average_pooling3d() -> Vec<Case> {
    let pool = AveragePooling3D::new([2, 3, 2]);
    let layers = [
        pool,
        pool.strides(Some([1, 1, 1])).padding(Padding::Same),
        pool.strides(Some([1, 2, 1])).padding(Padding::Full),
        pool.strides(Some([1, 2, 1])).padding(Padding::Explicit([[1, 0], [0, 1], [1, 1]])),
    ];
    each(layers.map(Layer::AveragePooling3D), VOLUMES)
}

pub fn sum_pooling1d() -> Vec<Case> {
    let pool = SumPooling1D::new([3]);
    let layers = [
        pool,
        pool.strides(Some([1])).padding(Padding::Same),
        pool.strides(Some([2])).padding(Padding::Full),
        pool.strides(Some([2])).padding(Padding::Explicit([[1, 0]])),
    ];
    each(layers.map(Layer::SumPooling1D), SEQUENCES)
}

pub fn sum_pooling2d() -> Vec<Case> {
    let pool = SumPooling2D::new([3, 2]);
    let layers = [
        pool,
        pool.strides(Some([1, 1])).padding(Padding::Same),
        pool.strides(Some([2, 1])).padding(Padding::Full),
        pool.strides(Some([2, 1])).padding(Padding::Explicit([[1, 0], [0, 1]])),
    ];
    each(layers.map(Layer::SumPooling2D), IMAGES)
}

pub fn sum_pooling3d() -> Vec<Case> {
    let pool = SumPooling3D::new([2, 3, 2]);
    let layers = [
        pool,
        pool.strides(Some([1, 1, 1])).padding(Padding::Same),
        pool.strides(Some([1, 2, 1])).padding(Padding::Full),
        pool.strides(Some([1, 2, 1])).padding(Padding::Explicit([[1, 0], [0, 1], [1, 1]])),
    ];
    each(layers.map(Layer::SumPooling3D), VOLUMES)
}

pub fn global_max_pooling1d() -> Vec<Case> {
    each([false, true].map(|keep| Layer::GlobalMaxPooling1D(GlobalMaxPooling1D::new().keepdims(keep))), SEQUENCES)
}

pub fn global_max_pooling3d() -> Vec<Case> {
    each([false, true].map(|keep| Layer::GlobalMaxPooling3D(GlobalMaxPooling3D::new().keepdims(keep))), VOLUMES)
}

pub fn global_average_pooling1d() -> Vec<Case> {
    each([false, true].map(|keep| Layer::GlobalAveragePooling1D(GlobalAveragePooling1D::new().keepdims(keep))), SEQUENCES)
}

pub fn global_average_pooling3d() -> Vec<Case> {
    each([false, true].map(|keep| Layer::GlobalAveragePooling3D(GlobalAveragePooling3D::new().keepdims(keep))), VOLUMES)
}

pub fn adaptive_average_pooling1d() -> Vec<Case> {
    each([[1], [3], [8]].map(|size| Layer::AdaptiveAveragePooling1D(AdaptiveAveragePooling1D::new(size))), SEQUENCES)
}

pub fn adaptive_average_pooling2d() -> Vec<Case> {
    each([[1, 1], [2, 3], [5, 2]].map(|size| Layer::AdaptiveAveragePooling2D(AdaptiveAveragePooling2D::new(size))), IMAGES)
}

pub fn adaptive_average_pooling3d() -> Vec<Case> {
    each(
        [[1, 1, 1], [2, 3, 2], [4, 1, 3]].map(|size| Layer::AdaptiveAveragePooling3D(AdaptiveAveragePooling3D::new(size))),
        VOLUMES,
    )
}

pub fn adaptive_max_pooling1d() -> Vec<Case> {
    each([[1], [3], [8]].map(|size| Layer::AdaptiveMaxPooling1D(AdaptiveMaxPooling1D::new(size))), SEQUENCES)
}

pub fn adaptive_max_pooling2d() -> Vec<Case> {
    each([[1, 1], [2, 3], [5, 2]].map(|size| Layer::AdaptiveMaxPooling2D(AdaptiveMaxPooling2D::new(size))), IMAGES)
}

pub fn adaptive_max_pooling3d() -> Vec<Case> {
    each([[1, 1, 1], [2, 3, 2], [4, 1, 3]].map(|size| Layer::AdaptiveMaxPooling3D(AdaptiveMaxPooling3D::new(size))), VOLUMES)
}

pub fn zero_padding1d() -> Vec<Case> {
    let layer = ZeroPadding1D::new();
    each([layer, layer.padding([[1, 2]])].map(Layer::ZeroPadding1D), SEQUENCES)
}

pub fn zero_padding2d() -> Vec<Case> {
    let layer = ZeroPadding2D::new();
    each([layer, layer.padding([[1, 0], [0, 2]])].map(Layer::ZeroPadding2D), IMAGES)
}

pub fn zero_padding3d() -> Vec<Case> {
    let layer = ZeroPadding3D::new();
    each([layer, layer.padding([[1, 0], [0, 2], [1, 1]])].map(Layer::ZeroPadding3D), VOLUMES)
}

pub fn cropping1d() -> Vec<Case> {
    let layer = Cropping1D::new();
    each([layer, layer.cropping([[1, 2]])].map(Layer::Cropping1D), SEQUENCES)
}

pub fn cropping2d() -> Vec<Case> {
    let layer = Cropping2D::new();
    each([layer, layer.cropping([[1, 0], [0, 2]])].map(Layer::Cropping2D), IMAGES)
}

pub fn cropping3d() -> Vec<Case> {
    let layer = Cropping3D::new();
    each([layer, layer.cropping([[1, 0], [0, 2], [1, 1]])].map(Layer::Cropping3D), VOLUMES)
}

pub fn up_sampling1d() -> Vec<Case> {
    let layer = UpSampling1D::new();
    each([layer, layer.size([3])].map(Layer::UpSampling1D), SEQUENCES)
}

pub fn up_sampling2d() -> Vec<Case> {
    let layer = UpSampling2D::new();
    let smooth = [Resampling::Bilinear, Resampling::Bicubic, Resampling::Lanczos5].map(|kernel| layer.interpolation(kernel));
    each([layer, layer.size([3, 1])].into_iter().chain(smooth).map(Layer::UpSampling2D), IMAGES)
}

pub fn up_sampling3d() -> Vec<Case> {
    let layer = UpSampling3D::new();
    each([layer, layer.size([1, 2, 3])].map(Layer::UpSampling3D), VOLUMES)
}

pub fn reshape() -> Vec<Case> {
    let target = |dims: &[Dim]| Layer::Reshape(Reshape::new(Target::of(dims)));
    vec![(target(&[Dim::Known(4), Dim::Known(3)]), vec![3, 2, 6]), (target(&[Dim::Known(2), Dim::Unknown]), vec![1, 5, 4, 2])]
}

pub fn permute() -> Vec<Case> {
    each([[3, 1, 2], [1, 2, 3], [2, 1, 3]].map(|dims| Layer::Permute(Permute::new(Axes::new(dims)))), IMAGES)
}

pub fn repeat_vector() -> Vec<Case> {
    each([1, 3].map(|n| Layer::RepeatVector(RepeatVector::new(n))), [&[1, 5], &[3, 4]])
}

pub fn rescaling() -> Vec<Case> {
    each([Layer::Rescaling(Rescaling::new(0.3)), Layer::Rescaling(Rescaling::new(-2.0).offset(1.0))], IMAGES)
}

pub fn normalization() -> Vec<Case> {
    let layer = Normalization::new();
    let given = layer.mean(Some(Numbers::of(&[0.5]))).variance(Some(Numbers::of(&[2.0])));
    let along = [Axes::NONE, Axes::new([1]), Axes::new([3, 2])].map(|axes| layer.axis(axes));
    each([given, given.invert(true)].into_iter().chain(along).map(Layer::Normalization), IMAGES)
}

pub fn resizing() -> Vec<Case> {
    let layer = Resizing::new(3, 7);
    let layers = [
        layer,
        layer.interpolation(Resampling::Nearest),
        layer.crop_to_aspect_ratio(true),
        layer.pad_to_aspect_ratio(true).fill_value(0.5),
        layer.interpolation(Resampling::Bicubic),
        layer.interpolation(Resampling::Lanczos3).antialias(true),
    ];
    each(layers.map(Layer::Resizing), IMAGES)
}

pub fn center_crop() -> Vec<Case> {
    each([[2, 3], [3, 4], [6, 2]].map(|[height, width]| Layer::CenterCrop(CenterCrop::new(height, width))), IMAGES)
}

pub fn random_flip() -> Vec<Case> {
    each([Layer::RandomFlip(RandomFlip::new().mode(FlipMode::HorizontalAndVertical))], IMAGES)
}

pub fn random_rotation() -> Vec<Case> {
    each([Layer::RandomRotation(RandomRotation::new([-0.2, 0.2]))], IMAGES)
}

pub fn random_translation() -> Vec<Case> {
    each([Layer::RandomTranslation(RandomTranslation::new([-0.3, 0.3], [-0.3, 0.3]))], IMAGES)
}

pub fn random_zoom() -> Vec<Case> {
    each([Layer::RandomZoom(RandomZoom::new([-0.3, 0.3]))], IMAGES)
}

pub fn random_crop() -> Vec<Case> {
    each([Layer::RandomCrop(RandomCrop::new(2, 3))], IMAGES)
}

pub fn random_contrast() -> Vec<Case> {
    each([Layer::RandomContrast(RandomContrast::new([-0.3, 0.3]).value_range([-9.0, 9.0]))], IMAGES)
}

pub fn random_brightness() -> Vec<Case> {
    each([Layer::RandomBrightness(RandomBrightness::new([-0.3, 0.3]).value_range([-9.0, 9.0]))], IMAGES)
}

pub fn random_erasing() -> Vec<Case> {
    each([Layer::RandomErasing(RandomErasing::new())], IMAGES)
}

pub fn embedding() -> Vec<Case> {
    each([Layer::Embedding(Embedding::new(5, 3))], [&[1, 4], &[3, 2, 3]])
}
