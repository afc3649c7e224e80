//! Gradients of normalisations, of activations with parameters, and of what is left out while training.

use super::{Case, check_in};
use candle_core::Result;
use cnn_runtime::spec::layers::*;
use cnn_runtime::spec::{Axes, Layer, Shape};
use cnn_runtime::{Context, Seed};

const IMAGES: [[usize; 4]; 3] = [[3, 4, 3, 4], [1, 2, 5, 4], [2, 3, 3, 8]];

fn on_images<const N: usize>(layers: [Layer; N]) -> Vec<Case> {
    layers.iter().flat_map(|layer| IMAGES.map(|image| (*layer, image.to_vec()))).collect()
}

pub fn leaky_relu() -> Vec<Case> {
    on_images([LeakyReLU::new(), LeakyReLU::new().negative_slope(0.0)].map(Layer::LeakyReLU))
}

pub fn elu() -> Vec<Case> {
    on_images([ELU::new(), ELU::new().alpha(0.5)].map(Layer::ELU))
}

pub fn prelu() -> Vec<Case> {
    let shared = |axes| Layer::PReLU(PReLU::new().shared_axes(axes));
    let mut cases = on_images([Axes::NONE, Axes::new([1, 2]), Axes::new([3]), Axes::new([1])].map(shared));
    cases.push((shared(Axes::NONE), vec![3, 5]));
    cases
}

pub fn batch_normalization() -> Vec<Case> {
    let layer = BatchNormalization::new();
    let layers = [layer, layer.center(false), layer.scale(false).epsilon(0.1), layer.scale(false).center(false)];
    let mut cases = on_images(layers.map(Layer::BatchNormalization));
    cases.extend([vec![5, 3], vec![4, 3, 1], vec![2, 2, 3, 2, 2]].map(|shape| (Layer::BatchNormalization(layer), shape)));
    cases
}

pub fn layer_normalization() -> Vec<Case> {
    let layer = LayerNormalization::new();
    let axes = [layer.axis(Axes::new([1, 2, 3])), layer.axis(Axes::new([-2, -1]))];
    let layers = [layer, layer.center(false), layer.scale(false).epsilon(0.1), axes[0], axes[1]];
    on_images(layers.map(Layer::LayerNormalization))
}

pub fn group_normalization() -> Vec<Case> {
    let layer = GroupNormalization::new();
    let layers = [layer.groups(2), layer.groups(1).center(false), layer.groups(-1).epsilon(0.1), layer.groups(4).scale(false)];
    on_images([layers[0], layers[1], layers[3]].map(Layer::GroupNormalization))
        .into_iter()
        .chain([(Layer::GroupNormalization(layers[2]), vec![3, 4, 3, 4])])
        .collect()
}

pub fn local_response_normalization() -> Vec<Case> {
    let layer = LocalResponseNormalization::new;
    let layers = [layer(5), layer(5).alpha(0.5).k(2.0), layer(2).alpha(1.0).beta(0.6), layer(9).alpha(2.0).beta(1.0)];
    on_images(layers.map(Layer::LocalResponseNormalization))
}

pub fn spatial_dropout1d() -> Vec<Case> {
    vec![(Layer::SpatialDropout1D(SpatialDropout1D::new(0.5)), vec![3, 4, 5])]
}

pub fn spatial_dropout2d() -> Vec<Case> {
    vec![(Layer::SpatialDropout2D(SpatialDropout2D::new(0.5)), vec![3, 4, 2, 5])]
}

pub fn spatial_dropout3d() -> Vec<Case> {
    vec![(Layer::SpatialDropout3D(SpatialDropout3D::new(0.5)), vec![3, 2, 2, 3, 5])]
}

pub fn gaussian_noise() -> Vec<Case> {
    vec![(Layer::GaussianNoise(GaussianNoise::new(0.5)), vec![3, 4, 2, 5])]
}

pub fn gaussian_dropout() -> Vec<Case> {
    vec![(Layer::GaussianDropout(GaussianDropout::new(0.5)), vec![3, 4, 2, 5])]
}

pub fn alpha_dropout() -> Vec<Case> {
    let layer = AlphaDropout::new(0.5);
    [layer, layer.noise_shape(Some(Shape::new([4, 1, 5])))].map(|layer| (Layer::AlphaDropout(layer), vec![3, 4, 2, 5])).into()
}

pub fn activity_regularization() -> Vec<Case> {
    vec![(Layer::ActivityRegularization(ActivityRegularization::new().l2(0.5)), vec![3, 4, 2])]
}

pub fn identity() -> Vec<Case> {
    vec![(Layer::Identity(Identity::new()), vec![3, 4, 2])]
}

pub fn threshold() -> Vec<Case> {
    let layers = [Threshold::new(0.5, 0.0), Threshold::new(-1.0, 20.0)];
    layers.iter().flat_map(|layer| [vec![1, 17], vec![3, 4, 3, 2]].map(|shape| (Layer::Threshold(*layer), shape))).collect()
}

pub fn rms_normalization() -> Vec<Case> {
    let layer = RMSNormalization::new();
    let axes = [layer.axis(Axes::new([1, 2, 3])), layer.axis(Axes::new([1])), layer.axis(Axes::new([3, 1]))];
    on_images([layer, layer.epsilon(0.1), axes[0], axes[1], axes[2]].map(Layer::RMSNormalization))
}

pub fn unit_normalization() -> Vec<Case> {
    let layer = UnitNormalization::new();
    let axes = [layer.axis(Axes::new([1, 2, 3])), layer.axis(Axes::new([1])), layer.axis(Axes::new([1, -1]))];
    on_images([layer, axes[0], axes[1], axes[2]].map(Layer::UnitNormalization))
}

/// While training, gradients also go through the moments of the batch, and random numbers are those of the forward pass.
#[test]
fn gradients_of_a_training_pass() -> Result<()> {
    let cases = [
        batch_normalization(),
        spatial_dropout1d(),
        spatial_dropout2d(),
        spatial_dropout3d(),
        gaussian_noise(),
        gaussian_dropout(),
        alpha_dropout(),
        vec![(Layer::Dropout(Dropout::new(0.5).noise_shape(Some(Shape::new([1, 2, 1])))), vec![3, 4, 2, 5])],
    ];
    let cx = Context::training(Seed(3), 5);
    cases.concat().into_iter().try_for_each(|case| check_in(case, &cx))
}
