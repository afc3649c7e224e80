//! Every layer of the language at run time, one file each: how it is built, and what it does to a tensor.

mod activation;
mod activity;
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
mod custom;
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

use crate::kernels::{self, Taps};
use crate::spec::{self, Axes, Graph, Inferred, Node, Operand, Resampling, Shape, ShapeError};
use crate::{Context, Network, Seed, Weights};
use candle_core::{Result, Tensor};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::array::from_fn;

#[cfg(test)]
pub(crate) use activity::is_collecting;
use activity::regularized;
pub(crate) use activity::{collect, uncollected};
pub use custom::{Custom, CustomLayer, own};

/// A layer that a network's graph describes.
// Of what people write, only a type in a model's place can lack it.
#[diagnostic::on_unimplemented(message = "`{Self}` is no model")]
pub trait FromSpec: Sized {
    /// The layer that `spec` says, for inputs of these shapes, with tensors from `weights`.
    ///
    /// # Errors
    /// If `spec` is of another layer, does not fit the inputs, or `weights` lacks a tensor of the right shape.
    fn from_spec(spec: &spec::Layer, inputs: &[Shape], weights: &Weights) -> Result<Self>;

    /// The same layer, which now knows that it is node `index` of `graph`.
    fn within(self, _graph: &Graph, _index: usize) -> Self {
        self
    }
}

/// A network is a layer of another one.
impl<N: Network> FromSpec for N {
    fn from_spec(_: &spec::Layer, _: &[Shape], weights: &Weights) -> Result<Self> {
        N::build(weights)
    }
}

/// The layers that these nodes of `graph` apply, with the tensors that `weights` has under their names.
///
/// # Errors
/// If the layer of one is not an `L`, or `weights` lacks a tensor of the right shape.
pub fn build<L: FromSpec, const N: usize>(graph: &Graph, nodes: [usize; N], weights: &Weights) -> Result<[L; N]> {
    let layers: Vec<L> = nodes.iter().map(|index| build_one(graph, *index, weights)).collect::<Result<_>>()?;
    Ok(layers.try_into().unwrap_or_else(|_| unreachable!("there is a layer for each node")))
}

fn build_one<L: FromSpec>(graph: &Graph, index: usize, weights: &Weights) -> Result<L> {
    let node = &graph.nodes[index];
    let inputs: Vec<Shape> = match node.inputs {
        [] => vec![node.shape],
        inputs => inputs.iter().map(|input| graph.nodes[*input].shape).collect(),
    };
    Ok(L::from_spec(&node.layer, &inputs, &weights_of(node, weights))?.within(graph, index))
}

/// What a layer makes of its inputs.
pub(crate) type Function = Box<dyn Fn(&[&Tensor]) -> Result<Tensor> + Send + Sync>;

/// The weights under the name of `node`.
pub(crate) fn weights_of<'a>(node: &Node, weights: &Weights<'a>) -> Weights<'a> {
    let weights = weights.pp(node.name);
    if node.frozen { weights.frozen() } else { weights }
}

pub use input::Input;

/// Exports the layers but `Input`, those of one tensor before those of several, and says how each is built from a graph.
macro_rules! layers {
    ($($module:ident::$name:ident $([$place:ident])?,)* ; $($merging_module:ident::$merging:ident $([$merging_place:ident])?,)*) => {
        $( pub use $module::$name; )*
        $( pub use $merging_module::$merging; )*
        $( layers!(@ $name $([$place])?, |inputs| inputs[0]); )*
        $( layers!(@ $merging $([$merging_place])?, |inputs| inputs); )*

        /// The layer that node `index` of `graph` applies, whichever it is, as a function of its inputs when the network
        /// predicts; none for a network or a layer of one's own, which only their own types can build.
        ///
        /// # Errors
        /// As [`build`].
        pub(crate) fn function(graph: &Graph, index: usize, weights: &Weights) -> Result<Option<Function>> {
            let cx = Context::inference();
            Ok(Some(match graph.nodes[index].layer {
                spec::Layer::Input(_) => {
                    let layer: Input = build_one(graph, index, weights)?;
                    Box::new(move |xs| layer.forward(xs[0], &cx))
                }
                $( spec::Layer::$name(_) => {
                    let layer: $name = build_one(graph, index, weights)?;
                    Box::new(move |xs| layer.forward(xs[0], &cx))
                } )*
                $( spec::Layer::$merging(_) => {
                    let layer: $merging = build_one(graph, index, weights)?;
                    Box::new(move |xs| layer.forward(xs, &cx))
                } )*
                spec::Layer::Model(_) | spec::Layer::Custom(_) => return Ok(None),
            }))
        }
    };
    (@ $name:ident $([$place:ident])?, |$inputs:ident| $input:expr) => {
        impl FromSpec for $name {
            fn from_spec(spec: &spec::Layer, $inputs: &[Shape], weights: &Weights) -> Result<Self> {
                match spec {
                    spec::Layer::$name(spec) => Self::build(*spec, $input, weights),
                    other => candle_core::bail!("`{}` is no `{}`", other.name(), stringify!($name)),
                }
            }

            $(fn within(self, graph: &Graph, index: usize) -> Self {
                self.$place(graph, index)
            })?
        }
    };
}

layers! {
        activation::Activation, activity_regularization::ActivityRegularization,
        adaptive_average_pooling1d::AdaptiveAveragePooling1D, adaptive_average_pooling2d::AdaptiveAveragePooling2D,
        adaptive_average_pooling3d::AdaptiveAveragePooling3D, adaptive_max_pooling1d::AdaptiveMaxPooling1D,
        adaptive_max_pooling2d::AdaptiveMaxPooling2D, adaptive_max_pooling3d::AdaptiveMaxPooling3D, alpha_dropout::AlphaDropout,
        average_pooling1d::AveragePooling1D, average_pooling2d::AveragePooling2D, average_pooling3d::AveragePooling3D,
        batch_normalization::BatchNormalization [then_rectifies], center_crop::CenterCrop, conv1d::Conv1D, conv1d_transpose::Conv1DTranspose,
        conv2d::Conv2D, conv2d_transpose::Conv2DTranspose, conv3d::Conv3D, conv3d_transpose::Conv3DTranspose,
        cropping1d::Cropping1D, cropping2d::Cropping2D, cropping3d::Cropping3D, dense::Dense, depthwise_conv1d::DepthwiseConv1D,
        depthwise_conv2d::DepthwiseConv2D, dropout::Dropout, elu::ELU, embedding::Embedding, flatten::Flatten,
        gaussian_dropout::GaussianDropout, gaussian_noise::GaussianNoise, global_average_pooling1d::GlobalAveragePooling1D,
        global_average_pooling2d::GlobalAveragePooling2D, global_average_pooling3d::GlobalAveragePooling3D,
        global_max_pooling1d::GlobalMaxPooling1D, global_max_pooling2d::GlobalMaxPooling2D,
        global_max_pooling3d::GlobalMaxPooling3D, group_normalization::GroupNormalization, identity::Identity,
        layer_normalization::LayerNormalization, leaky_relu::LeakyReLU,
        local_response_normalization::LocalResponseNormalization, max_pooling1d::MaxPooling1D, max_pooling2d::MaxPooling2D,
        max_pooling3d::MaxPooling3D, normalization::Normalization, permute::Permute, prelu::PReLU,
        random_brightness::RandomBrightness, random_contrast::RandomContrast, random_crop::RandomCrop,
        random_erasing::RandomErasing, random_flip::RandomFlip, random_rotation::RandomRotation,
        random_translation::RandomTranslation, random_zoom::RandomZoom, relu::ReLU [after_what_rectifies], repeat_vector::RepeatVector,
        rescaling::Rescaling, reshape::Reshape, resizing::Resizing, rms_normalization::RMSNormalization,
        separable_conv1d::SeparableConv1D, separable_conv2d::SeparableConv2D, softmax::Softmax,
        spatial_dropout1d::SpatialDropout1D, spatial_dropout2d::SpatialDropout2D, spatial_dropout3d::SpatialDropout3D,
        sum_pooling1d::SumPooling1D, sum_pooling2d::SumPooling2D, sum_pooling3d::SumPooling3D, threshold::Threshold,
        unit_normalization::UnitNormalization, up_sampling1d::UpSampling1D, up_sampling2d::UpSampling2D,
        up_sampling3d::UpSampling3D, zero_padding1d::ZeroPadding1D, zero_padding2d::ZeroPadding2D,
        zero_padding3d::ZeroPadding3D,
    ;
        add::Add [then_rectifies], average::Average, concatenate::Concatenate, dot::Dot, maximum::Maximum, minimum::Minimum, multiply::Multiply,
        subtract::Subtract,
}

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

/// The sizes of a mask whose elements are dropped together along axes that are 1 in `noise_shape`; those of `xs` without one.
fn mask(noise_shape: Option<Shape>, xs: &Tensor) -> Vec<usize> {
    let Some(noise) = noise_shape else { return xs.dims().to_vec() };
    let own = |(dim, size): (&spec::Dim, &usize)| dim.known().unwrap_or(*size);
    xs.dims().iter().take(1).copied().chain(noise.dims().iter().zip(&xs.dims()[1..]).map(own)).collect()
}

/// Which axes of an example of `input` are among `axes`.
fn among(axes: &Axes, input: &Operand) -> Result<Vec<bool>> {
    let is_among = axes.of("axis", input).map_err(candle_core::Error::wrap)?;
    Ok(is_among[..input.shape.rank()].to_vec())
}

/// What `function` makes of `xs` where the values along the axes of an example that are `among` follow each other, with
/// their number.
fn along(name: &str, xs: &Tensor, among: &[bool], function: impl FnOnce(&Tensor, usize) -> Result<Tensor>) -> Result<Tensor> {
    if xs.rank() != among.len() + 1 {
        candle_core::bail!("`{name}` takes a batch of {} axes, found {}", among.len() + 1, xs.rank());
    }
    let is_along = |axis: &usize| *axis > 0 && among[axis - 1];
    let mut order: Vec<usize> = (0..xs.rank()).collect();
    order.sort_by_key(is_along);
    let length = (0..xs.rank()).filter(is_along).map(|axis| xs.dims()[axis]).product();
    if order.is_sorted() {
        return function(xs, length);
    }
    let mut back: Vec<usize> = (0..xs.rank()).collect();
    back.sort_by_key(|axis| order[*axis]);
    function(&xs.permute(order)?.contiguous()?, length)?.permute(back)?.contiguous()
}

/// The activation a layer ends in: all but a closing `softmax` that the pass leaves to the loss.
fn closing(activation: spec::Activation, cx: &Context) -> spec::Activation {
    match activation {
        spec::Activation::Softmax if cx.leaves_logits() => spec::Activation::Linear,
        activation => activation,
    }
}

/// The sizes of the `A` axes between batch and channels of what comes to the layer `name`.
fn spatial<const A: usize>(name: &str, xs: &Tensor) -> Result<[usize; A]> {
    match xs.dims() {
        [_, spatial @ .., _] if spatial.len() == A => Ok(from_fn(|axis| spatial[axis])),
        dims => candle_core::bail!("`{name}` takes a batch of {} axes, found {}", A + 2, dims.len()),
    }
}

/// The sizes that a rule gives for the examples of `xs`.
fn output(rule: impl FnOnce(&[Operand]) -> std::result::Result<Inferred, ShapeError>, xs: &Tensor) -> Result<Vec<usize>> {
    let Some(sizes) = xs.dims().get(1..).filter(|sizes| sizes.len() <= Shape::MAX_RANK) else {
        candle_core::bail!("expected a batch of at most {} axes, found {}", Shape::MAX_RANK + 1, xs.rank());
    };
    let dims: Vec<spec::Dim> = sizes.iter().copied().map(spec::Dim::Known).collect();
    let inferred = rule(&[Operand::new("xs", Shape::of(&dims))]).map_err(candle_core::Error::wrap)?;
    Ok(inferred.shape.dims().iter().map(|dim| dim.known().expect("every size of a tensor is known")).collect())
}

/// A number of the interval, each as likely.
fn draw([low, high]: [f64; 2], random: &mut ChaCha8Rng) -> f64 {
    random.random_range(low..=high)
}

/// One number for each image of `xs`, as `N, 1, 1, 1`.
fn one_for_each_image(values: Vec<f64>, xs: &Tensor) -> Result<Tensor> {
    let count = values.len();
    Tensor::from_vec(values, (count, 1, 1, 1), xs.device())?.to_dtype(xs.dtype())
}

/// The start and length, along height and width, of the largest part in the middle of an image that has the proportions of
/// `output`.
fn proportional(input: [usize; 2], output: [usize; 2]) -> [(usize, usize); 2] {
    from_fn(|axis| {
        let other = 1 - axis;
        let len = (input[other] * output[axis] / output[other]).clamp(1, input[axis]);
        ((input[axis] - len) / 2, len)
    })
}

/// The middle of each image of `xs`, `N, H, W, C`, of this height and width; images too small are first made larger, their
/// proportions kept.
fn center_crop(name: &'static str, xs: &Tensor, size: [usize; 2]) -> Result<Tensor> {
    let input = spatial::<2>(name, xs)?;
    kernels::expect_values(xs, name)?;
    let fits = input[0] >= size[0] && input[1] >= size[1];
    let parts = proportional(input, size);
    let taps = from_fn(|axis| match fits {
        true => Taps::part(input[axis], ((input[axis] - size[axis]) / 2) as isize, size[axis]),
        false => Taps::resize(parts[axis].0, parts[axis].1, size[axis], Resampling::Bilinear, false),
    });
    kernels::resample::<2>(name, xs, taps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    /// Images of 3×4 whose every pixel is another number.
    fn images(count: usize) -> Tensor {
        let pixels = Tensor::arange(0f32, 12., &Device::Cpu).unwrap().reshape((1, 3, 4, 1)).unwrap();
        (pixels.repeat((count, 1, 1, 1)).unwrap() / 12.).unwrap()
    }

    fn values(xs: &Tensor) -> Vec<Vec<f32>> {
        xs.flatten_from(1).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn images_are_flipped_left_to_right_and_half_of_them() {
        let weights = Weights::fresh(Seed(1), DType::F32, &Device::Cpu).pp("random_flip");
        let flip =
            |spec, cx| RandomFlip::build(spec, Shape::new([3, 4, 1]), &weights).unwrap().forward(&images(1000), &cx).unwrap();
        let spec = spec::RandomFlip::new();
        let before = values(&images(1)).remove(0);
        let mirrored: Vec<f32> = before.chunks(4).flat_map(|row| row.iter().rev().copied().collect::<Vec<_>>()).collect();
        let after = values(&flip(spec, Context::training(Seed(3), 5)));
        let flipped = after.iter().filter(|image| **image == mirrored).count();
        assert!(after.iter().all(|image| *image == before || *image == mirrored));
        assert!((450..550).contains(&flipped), "{flipped} of 1000");
        assert_eq!(values(&flip(spec, Context::training(Seed(3), 5))), after);
        assert_ne!(values(&flip(spec, Context::training(Seed(3), 6))), after);
        assert_ne!(values(&flip(spec.seed(Some(9)), Context::training(Seed(3), 5))), after);
        assert_eq!(values(&flip(spec, Context::inference()))[7], before);
    }

    #[test]
    fn crops_come_from_everywhere_in_training_and_from_the_middle_else() {
        let weights = Weights::fresh(Seed(1), DType::F32, &Device::Cpu).pp("random_crop");
        let crop = RandomCrop::build(spec::RandomCrop::new(2, 2), Shape::new([3, 4, 1]), &weights).unwrap();
        let firsts = |cx| {
            let cropped = values(&crop.forward(&images(200), &cx).unwrap());
            cropped.iter().map(|image| (image[0] * 12.).round() as u32).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(firsts(Context::training(Seed(3), 5)), [0, 1, 2, 4, 5, 6].into());
        assert_eq!(firsts(Context::inference()), [1].into());
    }

    #[test]
    fn erased_rectangles_have_the_stated_size_and_chance() {
        let weights = Weights::fresh(Seed(1), DType::F32, &Device::Cpu).pp("random_erasing");
        let spec = spec::RandomErasing::new().factor(0.25).scale([0.25, 0.25]).fill_value(Some(0.5));
        let erasing = RandomErasing::build(spec, Shape::new([20, 20, 1]), &weights).unwrap();
        let xs = Tensor::zeros((1000, 20, 20, 1), DType::F32, &Device::Cpu).unwrap();
        let erased = values(&erasing.forward(&xs, &Context::training(Seed(3), 5)).unwrap());
        let sizes: Vec<usize> = erased.iter().map(|image| image.iter().filter(|x| **x == 0.5).count()).collect();
        assert!(sizes.iter().all(|size| [0, 100].contains(size)), "{sizes:?}");
        let hit = sizes.iter().filter(|size| **size > 0).count();
        assert!((200..300).contains(&hit), "{hit} of 1000");
    }
}
