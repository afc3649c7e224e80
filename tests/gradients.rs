//! Every layer's gradients against central differences of its output, in double precision.
//!
//! For each element `v` of the input and of every parameter, `(f(v + h) − f(v − h)) / 2h` of `f = Σ output · upstream`
//! with a random upstream gradient is compared with what `backward` gives. Inputs lie away from the kinks of every
//! function; what happens at kinks and ties is a choice, and stated in tests of its own.

#[path = "gradients/convolutions.rs"]
mod convolutions;
#[path = "gradients/norm.rs"]
mod norm;
#[path = "gradients/spatial.rs"]
mod spatial;
mod support;

use candle_core::{Result, Tensor};
use cnn_runtime::spec::{self, Activation, Axes, Conv2D, Dense, Layer, Padding, ReLU, Shape};
use cnn_runtime::{Context, Seed};
use rand::RngExt;
use rand::seq::SliceRandom;
use support::{Subject, as_input, device};

/// The step of the differences: their error is of the order of its square, and of 1e-16 divided by it.
const STEP: f64 = 1e-5;

/// How far a gradient may be from the difference, relative to the difference where that is larger than 1.
const TOLERANCE: f64 = 1e-7;

const CX: Context = Context::inference().tracked();

/// A layer and the shape of the batch it is applied to.
type Case = (Layer, Vec<usize>);

/// One test for each layer, of all the cases that the function of that name in [`cases`] lists.
macro_rules! gradients {
    ($($test:ident: $name:ident,)*) => {
        const LAYERS: &[(&str, fn() -> Vec<Case>)] = &[$((stringify!($name), cases::$test),)*];
        $( #[test] fn $test() -> Result<()> { cases::$test().into_iter().try_for_each(check) } )*
    };
}

gradients! {
    input: Input,
    conv1d: Conv1D,
    conv2d: Conv2D,
    conv3d: Conv3D,
    conv1d_transpose: Conv1DTranspose,
    conv2d_transpose: Conv2DTranspose,
    conv3d_transpose: Conv3DTranspose,
    depthwise_conv1d: DepthwiseConv1D,
    depthwise_conv2d: DepthwiseConv2D,
    separable_conv1d: SeparableConv1D,
    separable_conv2d: SeparableConv2D,
    max_pooling2d: MaxPooling2D,
    average_pooling2d: AveragePooling2D,
    global_max_pooling2d: GlobalMaxPooling2D,
    global_average_pooling2d: GlobalAveragePooling2D,
    flatten: Flatten,
    dense: Dense,
    dropout: Dropout,
    activation: Activation,
    relu: ReLU,
    softmax: Softmax,
    leaky_relu: LeakyReLU,
    elu: ELU,
    threshold: Threshold,
    prelu: PReLU,
    batch_normalization: BatchNormalization,
    layer_normalization: LayerNormalization,
    group_normalization: GroupNormalization,
    rms_normalization: RMSNormalization,
    unit_normalization: UnitNormalization,
    local_response_normalization: LocalResponseNormalization,
    spatial_dropout1d: SpatialDropout1D,
    spatial_dropout2d: SpatialDropout2D,
    spatial_dropout3d: SpatialDropout3D,
    gaussian_noise: GaussianNoise,
    gaussian_dropout: GaussianDropout,
    alpha_dropout: AlphaDropout,
    activity_regularization: ActivityRegularization,
    add: Add,
    subtract: Subtract,
    multiply: Multiply,
    average: Average,
    maximum: Maximum,
    minimum: Minimum,
    concatenate: Concatenate,
    dot: Dot,
    max_pooling1d: MaxPooling1D,
    max_pooling3d: MaxPooling3D,
    average_pooling1d: AveragePooling1D,
    average_pooling3d: AveragePooling3D,
    sum_pooling1d: SumPooling1D,
    sum_pooling2d: SumPooling2D,
    sum_pooling3d: SumPooling3D,
    global_max_pooling1d: GlobalMaxPooling1D,
    global_max_pooling3d: GlobalMaxPooling3D,
    global_average_pooling1d: GlobalAveragePooling1D,
    global_average_pooling3d: GlobalAveragePooling3D,
    adaptive_average_pooling1d: AdaptiveAveragePooling1D,
    adaptive_average_pooling2d: AdaptiveAveragePooling2D,
    adaptive_average_pooling3d: AdaptiveAveragePooling3D,
    adaptive_max_pooling1d: AdaptiveMaxPooling1D,
    adaptive_max_pooling2d: AdaptiveMaxPooling2D,
    adaptive_max_pooling3d: AdaptiveMaxPooling3D,
    zero_padding1d: ZeroPadding1D,
    zero_padding2d: ZeroPadding2D,
    zero_padding3d: ZeroPadding3D,
    cropping1d: Cropping1D,
    cropping2d: Cropping2D,
    cropping3d: Cropping3D,
    up_sampling1d: UpSampling1D,
    up_sampling2d: UpSampling2D,
    up_sampling3d: UpSampling3D,
    reshape: Reshape,
    permute: Permute,
    repeat_vector: RepeatVector,
    identity: Identity,
    rescaling: Rescaling,
    normalization: Normalization,
    resizing: Resizing,
    center_crop: CenterCrop,
    random_flip: RandomFlip,
    random_rotation: RandomRotation,
    random_translation: RandomTranslation,
    random_zoom: RandomZoom,
    random_crop: RandomCrop,
    random_contrast: RandomContrast,
    random_brightness: RandomBrightness,
    random_erasing: RandomErasing,
    embedding: Embedding,
}

/// Odd, even and non-square sizes, batches of 1 and 3, every kind of padding, strides from 1 to 3.
mod cases {
    pub use super::convolutions::{
        conv1d, conv1d_transpose, conv2d_transpose, conv3d, conv3d_transpose, depthwise_conv1d, depthwise_conv2d,
        separable_conv1d, separable_conv2d,
    };
    pub use super::norm::{
        activity_regularization, alpha_dropout, batch_normalization, elu, gaussian_dropout, gaussian_noise, group_normalization,
        identity, layer_normalization, leaky_relu, local_response_normalization, prelu, rms_normalization, spatial_dropout1d,
        spatial_dropout2d, spatial_dropout3d, threshold, unit_normalization,
    };
    pub use super::spatial::{
        adaptive_average_pooling1d, adaptive_average_pooling2d, adaptive_average_pooling3d, adaptive_max_pooling1d,
        adaptive_max_pooling2d, adaptive_max_pooling3d, average_pooling1d, average_pooling3d, center_crop, cropping1d,
        cropping2d, cropping3d, embedding, global_average_pooling1d, global_average_pooling3d, global_max_pooling1d,
        global_max_pooling3d, max_pooling1d, max_pooling3d, normalization, permute, random_brightness, random_contrast,
        random_crop, random_erasing, random_flip, random_rotation, random_translation, random_zoom, repeat_vector, rescaling,
        reshape, resizing, sum_pooling1d, sum_pooling2d, sum_pooling3d, up_sampling1d, up_sampling2d, up_sampling3d,
        zero_padding1d, zero_padding2d, zero_padding3d,
    };
    use super::*;
    use cnn_runtime::spec::layers::*;

    const IMAGES: [[usize; 4]; 5] = [[1, 5, 4, 2], [3, 4, 4, 2], [1, 4, 7, 2], [1, 6, 5, 2], [3, 3, 5, 2]];
    const STRIDES: [[usize; 2]; 5] = [[1, 1], [2, 2], [3, 3], [1, 2], [3, 1]];
    const PADDINGS: [Padding<2>; 4] = [Padding::Valid, Padding::Same, Padding::Full, Padding::Explicit([[1, 0], [0, 1]])];

    /// Every combination of window, stride and padding, on images that take turns.
    fn windows<const N: usize>(sizes: [[usize; 2]; N], layer: impl Fn([usize; 2], [usize; 2], Padding<2>) -> Layer) -> Vec<Case> {
        let mut images = IMAGES.iter().cycle();
        let mut cases = Vec::new();
        for size in sizes {
            for strides in STRIDES {
                for padding in PADDINGS {
                    cases.push((layer(size, strides, padding), images.next().expect("a cycle").to_vec()));
                }
            }
        }
        cases
    }

    pub fn input() -> Vec<Case> {
        vec![(Layer::Input(Input::new(Shape::new([3, 2, 2]))), vec![3, 3, 2, 2])]
    }

    pub fn conv2d() -> Vec<Case> {
        let mut cases = windows([[1, 1], [3, 2], [2, 3], [3, 3]], |kernel, strides, padding| {
            Layer::Conv2D(Conv2D::new(2, kernel).strides(strides).padding(padding))
        });
        for padding in PADDINGS.into_iter().chain([Padding::Explicit([[3, 1], [0, 2]])]) {
            let kernel = Conv2D::new(4, [2, 3]).padding(padding);
            let layers = [
                kernel.dilation_rate([2, 1]),
                kernel.dilation_rate([2, 2]).strides([2, 3]),
                kernel.groups(2),
                kernel.groups(2).strides([2, 1]).dilation_rate([1, 2]),
                kernel.groups(4),
                Conv2D { filters: 8, ..kernel.groups(4).strides([1, 2]) },
                kernel.use_bias(false).strides([2, 2]),
            ];
            cases.extend(layers.map(|layer| (Layer::Conv2D(layer), vec![1, 5, 6, 4])));
            cases.push((Layer::Conv2D(kernel.groups(2)), vec![3, 4, 5, 4]));
        }
        let fused = |activation| Layer::Conv2D(Conv2D::new(4, [2, 2]).activation(activation));
        cases.extend(activations().map(|activation| (fused(activation), vec![3, 3, 4, 2])));
        cases
    }

    pub fn max_pooling2d() -> Vec<Case> {
        windows([[1, 2], [2, 2], [3, 2], [3, 3]], |pool, strides, padding| {
            Layer::MaxPooling2D(MaxPooling2D::new().pool_size(pool).strides(Some(strides)).padding(within(padding, pool)))
        })
    }

    pub fn average_pooling2d() -> Vec<Case> {
        windows([[1, 2], [2, 2], [3, 2], [3, 3]], |pool, strides, padding| {
            Layer::AveragePooling2D(AveragePooling2D::new(pool).strides(Some(strides)).padding(within(padding, pool)))
        })
    }

    /// The padding without the cells that would fill a window of one cell.
    fn within(padding: Padding<2>, pool: [usize; 2]) -> Padding<2> {
        match padding {
            Padding::Explicit([height, width]) => {
                let cells = |cells: [usize; 2], size: usize| cells.map(|n| n.min(size - 1));
                Padding::Explicit([cells(height, pool[0]), cells(width, pool[1])])
            }
            padding => padding,
        }
    }

    pub fn global_max_pooling2d() -> Vec<Case> {
        let layer = GlobalMaxPooling2D::new();
        IMAGES
            .iter()
            .flat_map(|image| [false, true].map(|keep| (Layer::GlobalMaxPooling2D(layer.keepdims(keep)), image.to_vec())))
            .collect()
    }

    pub fn global_average_pooling2d() -> Vec<Case> {
        let layer = GlobalAveragePooling2D::new();
        IMAGES
            .iter()
            .flat_map(|image| [false, true].map(|keep| (Layer::GlobalAveragePooling2D(layer.keepdims(keep)), image.to_vec())))
            .collect()
    }

    pub fn flatten() -> Vec<Case> {
        IMAGES.iter().map(|image| (Layer::Flatten(Flatten::new()), image.to_vec())).collect()
    }

    pub fn dense() -> Vec<Case> {
        let sizes = [[1, 1, 1], [1, 5, 3], [3, 4, 4], [3, 1, 6], [3, 7, 1]];
        let plain = sizes.iter().flat_map(|[batch, features, units]| {
            let layer = Dense::new(*units);
            [layer, layer.use_bias(false)].map(|layer| (Layer::Dense(layer), vec![*batch, *features]))
        });
        let fused = activations().map(|activation| (Layer::Dense(Dense::new(4).activation(activation)), vec![3, 5]));
        plain.chain(fused).collect()
    }

    pub fn dropout() -> Vec<Case> {
        vec![(Layer::Dropout(Dropout::new(0.5)), vec![3, 4, 2, 2])]
    }

    pub fn activation() -> Vec<Case> {
        // No two of these numbers are 1 apart, where a value of `sparsemax` becomes 0.
        let shapes = [vec![1, 10], vec![3, 5, 3, 2]];
        let layer = |activation| Layer::Activation(spec::layers::Activation::new(activation));
        activations().flat_map(|activation| shapes.clone().map(|shape| (layer(activation), shape))).collect()
    }

    pub fn relu() -> Vec<Case> {
        let relu = ReLU::new();
        let layers = [
            relu,
            relu.max_value(Some(2.0)),
            relu.negative_slope(0.25),
            relu.threshold(1.0),
            relu.max_value(Some(3.0)).negative_slope(0.5).threshold(0.5),
        ];
        layers.iter().flat_map(|layer| [vec![1, 17], vec![3, 4, 3, 2]].map(|shape| (Layer::ReLU(*layer), shape))).collect()
    }

    pub fn softmax() -> Vec<Case> {
        let along = |axis| move |shape| (Layer::Softmax(Softmax::new().axis(axis)), shape);
        let other_axes = [1, 2].map(|axis| along(axis)(vec![3, 4, 3, 5]));
        other_axes.into_iter().chain([vec![1, 5], vec![3, 1], vec![3, 4, 3, 5]].map(along(-1))).collect()
    }

    /// Of each merging layer, which is applied to a batch and the same batch the other way round.
    fn pairs(layer: Layer) -> Vec<Case> {
        [vec![1, 6], vec![3, 4], vec![3, 2, 4, 2]].map(|shape| (layer, shape)).into()
    }

    pub fn add() -> Vec<Case> {
        pairs(Layer::Add(Add::new()))
    }

    pub fn subtract() -> Vec<Case> {
        pairs(Layer::Subtract(Subtract::new()))
    }

    pub fn multiply() -> Vec<Case> {
        pairs(Layer::Multiply(Multiply::new()))
    }

    pub fn average() -> Vec<Case> {
        pairs(Layer::Average(Average::new()))
    }

    pub fn maximum() -> Vec<Case> {
        pairs(Layer::Maximum(Maximum::new()))
    }

    pub fn minimum() -> Vec<Case> {
        pairs(Layer::Minimum(Minimum::new()))
    }

    pub fn concatenate() -> Vec<Case> {
        [-1, 1].into_iter().flat_map(|axis| pairs(Layer::Concatenate(Concatenate::new().axis(axis)))).collect()
    }

    pub fn dot() -> Vec<Case> {
        let layer = |axes: Axes, normalize| Layer::Dot(Dot::new(axes).normalize(normalize));
        let shapes: [(Axes, &[usize]); 6] = [
            (Axes::new([-1]), &[3, 5]),
            (Axes::new([1]), &[1, 4]),
            (Axes::new([2]), &[3, 4, 3]),
            (Axes::new([1, 2]), &[1, 3, 3]),
            (Axes::new([3, 1]), &[3, 2, 3, 2]),
            (Axes::new([-2]), &[1, 3, 2, 2]),
        ];
        let each = |(axes, shape): (Axes, &[usize])| [false, true].map(|normalize| (layer(axes, normalize), shape.to_vec()));
        shapes.into_iter().flat_map(each).collect()
    }

    fn activations() -> impl Iterator<Item = spec::Activation> {
        spec::Activation::WORDS.iter().map(|word| spec::Activation::from_word(word).expect("one of its words"))
    }
}

/// Compares every gradient of the layer with differences of its output.
fn check((layer, shape): Case) -> Result<()> {
    check_in((layer, shape.clone()), &CX)?;
    // What augmentations draw is the same in every pass of one step.
    if layer.name().starts_with("Random") { check_in((layer, shape), &Context::training(Seed(0), 1)) } else { Ok(()) }
}

fn check_in((layer, shape): Case, cx: &Context) -> Result<()> {
    let input = as_input(layer, &spread(&shape)?)?;
    let subject = Subject::new(layer, &input, |parameter| random("parameters", parameter.dims()))?;
    let upstream = random("upstream", subject.output(cx)?.dims());
    let objective = || (subject.output(cx)? * &upstream)?.sum_all()?.to_scalar::<f64>();
    for ((name, variable), (_, gradient)) in subject.variables().zip(subject.gradients(&upstream, cx)?) {
        assert_eq!(gradient.dims(), variable.dims(), "{layer:?} on {shape:?}: the gradient of {name}");
        let values = variable.flatten_all()?.to_vec1::<f64>()?;
        let difference = |element: usize| {
            let moved = |step: f64| {
                let mut values = values.clone();
                values[element] += step;
                variable.set(&Tensor::from_vec(values, variable.dims(), &device())?)?;
                objective()
            };
            Result::Ok((moved(STEP)? - moved(-STEP)?) / (2.0 * STEP))
        };
        for (element, found) in gradient.flatten_all()?.to_vec1::<f64>()?.into_iter().enumerate() {
            let expected = difference(element)?;
            let close = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
            assert!(close, "{layer:?} on {shape:?}: the gradient of {name}, element {element}, is {found}, expected {expected}");
        }
        variable.set(&Tensor::from_vec(values, variable.dims(), &device())?)?;
    }
    Ok(())
}

/// Sizes at which work is cut into pieces, which may span several images or end within one: here the difference is along a
/// random direction in all elements at once, and these operations are linear, so that the step may be large.
#[test]
fn pieces_of_large_batches_add_up() -> Result<()> {
    let same = |filters, kernel| Conv2D::new(filters, kernel).padding(Padding::Same);
    let cases: [Case; 9] = [
        (Layer::Conv2D(same(2, [5, 5])), vec![22, 7, 7, 54]),
        (Layer::Conv2D(same(3, [3, 3])), vec![20, 36, 35, 2]),
        (Layer::Conv2D(same(6, [3, 2]).groups(2).strides([2, 1])), vec![37, 13, 11, 4]),
        (Layer::Conv2D(Conv2D::new(3, [1, 1])), vec![35, 21, 20, 3]),
        (Layer::Conv2DTranspose(spec::Conv2DTranspose::new(3, [3, 3]).strides([2, 2])), vec![18, 23, 20, 3]),
        (Layer::DepthwiseConv2D(spec::DepthwiseConv2D::new([3, 3]).depth_multiplier(2)), vec![19, 23, 20, 4]),
        (Layer::Conv1D(spec::Conv1D::new(3, [3]).padding(Padding::Causal)), vec![18, 700, 2]),
        (Layer::Dense(Dense::new(70)), vec![1100, 30]),
        (Layer::AveragePooling2D(spec::AveragePooling2D::new([3, 3]).strides(Some([2, 2]))), vec![19, 33, 30, 5]),
    ];
    const STEP: f64 = 1e-2;
    for (layer, shape) in cases {
        let subject = Subject::new(layer, &random("input", &shape), |parameter| random("parameters", parameter.dims()))?;
        let upstream = random("upstream", subject.output(&CX)?.dims());
        let objective = || (subject.output(&CX)? * &upstream)?.sum_all()?.to_scalar::<f64>();
        for ((name, variable), (_, gradient)) in subject.variables().zip(subject.gradients(&upstream, &CX)?) {
            let values = variable.copy()?;
            let direction = random(name, variable.dims());
            let moved = |step: f64| {
                variable.set(&(&values + (&direction * step)?)?)?;
                objective()
            };
            let expected = (moved(STEP)? - moved(-STEP)?) / (2.0 * STEP);
            variable.set(&values)?;
            let found = (gradient * direction)?.sum_all()?.to_scalar::<f64>()?;
            let close = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
            assert!(close, "{layer:?} on {shape:?}: the gradient of {name} along a direction is {found}, expected {expected}");
        }
    }
    Ok(())
}

/// Numbers within ±1.
fn random(purpose: &str, dims: &[usize]) -> Tensor {
    let mut random = Seed(0).stream(purpose, 0);
    let values: Vec<f64> = (0..dims.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(values, dims, &device()).expect("as many values as the sizes say")
}

/// Numbers within ±4 in random order: no two of them close, so that no maximum is in doubt, and none close to a multiple
/// of 0.5, where the pieces of activation functions meet.
fn spread(dims: &[usize]) -> Result<Tensor> {
    let count: usize = dims.iter().product();
    let gap = 8.0 / count as f64;
    let values = (0..count).map(|i| -4.0 + gap * (i as f64 + 0.5));
    let margin = gap.min(0.5) / 8.0;
    let mut values: Vec<f64> =
        values.map(|x| if (2.0 * x - (2.0 * x).round()).abs() < margin { x + margin } else { x }).collect();
    values.shuffle(&mut Seed(0).stream("spread", 0));
    Tensor::from_vec(values, dims, &device())
}

fn tensor(values: &[f64], dims: &[usize]) -> Tensor {
    Tensor::from_slice(values, dims, &device()).expect("as many values as the sizes say")
}

/// The gradients of the sum of the layer's output, with every parameter set to `parameters`.
fn gradients_of_sum(layer: Layer, xs: &Tensor, parameters: f64) -> Result<Vec<Vec<f64>>> {
    let constant = |dims: &[usize]| Tensor::full(parameters, dims, &device()).expect("a constant of any size");
    let subject = Subject::new(layer, xs, |parameter| constant(parameter.dims()))?;
    let upstream = subject.output(&CX)?.ones_like()?;
    subject.gradients(&upstream, &CX)?.into_iter().map(|(_, gradient)| gradient.flatten_all()?.to_vec1()).collect()
}

#[test]
fn max_pooling_gives_the_gradient_to_the_first_maximum_in_row_major_order() -> Result<()> {
    let image = tensor(&[1., 1., 0., 1., 1., 1., 0., 1., 1.], &[1, 3, 3, 1]);
    let pool = spec::MaxPooling2D::new().strides(Some([1, 1]));
    assert_eq!(gradients_of_sum(Layer::MaxPooling2D(pool), &image, 0.0)?, [[1., 1., 0., 1., 1., 0., 0., 0., 0.]]);
    let zeros = tensor(&[0.; 6], &[1, 2, 3, 1]);
    let pool = spec::MaxPooling2D::new().pool_size([3, 3]).strides(Some([1, 1])).padding(Padding::Same);
    assert_eq!(gradients_of_sum(Layer::MaxPooling2D(pool), &zeros, 0.0)?, [[4., 2., 0., 0., 0., 0.]]);
    Ok(())
}

#[test]
fn global_max_pooling_shares_the_gradient_among_equal_maxima() -> Result<()> {
    let layer = Layer::GlobalMaxPooling2D(spec::GlobalMaxPooling2D::new());
    let images = tensor(&[2., 5., 2., 5., 1., 5., 2., 5., 7., 0., 0., 0., 0., 7., 0., 0.], &[2, 2, 2, 2]);
    let third = 1. / 3.;
    let expected = [third, 0.25, third, 0.25, 0., 0.25, third, 0.25, 1., 0., 0., 0., 0., 1., 0., 0.];
    assert_eq!(gradients_of_sum(layer, &images, 0.0)?, [expected]);
    Ok(())
}

#[test]
fn the_slope_of_relu_at_0_is_0() -> Result<()> {
    let xs = tensor(&[0., -0., 1., -1.], &[1, 4]);
    for layer in [Layer::ReLU(ReLU::new()), Layer::Activation(spec::layers::Activation::new(Activation::Relu))] {
        assert_eq!(gradients_of_sum(layer, &xs, 0.0)?, [[0., 0., 1., 0.]]);
    }
    let dense = Layer::Dense(Dense::new(2).activation(Activation::Relu));
    assert_eq!(gradients_of_sum(dense, &xs, 0.0)?, [vec![0.; 4], vec![0.; 8], vec![0.; 2]]);
    let conv2d = Layer::Conv2D(Conv2D::new(2, [1, 1]).activation(Activation::Relu));
    assert_eq!(gradients_of_sum(conv2d, &xs.reshape((1, 2, 2, 1))?, 0.0)?, [vec![0.; 4], vec![0.; 2], vec![0.; 2]]);
    Ok(())
}

#[test]
fn data_has_no_gradient() -> Result<()> {
    let conv2d = Conv2D::new(4, [2, 2]).activation(Activation::Relu);
    let cases: [Case; 7] = [
        (Layer::Conv2D(conv2d), vec![3, 4, 5, 2]),
        (Layer::Conv2D(conv2d.groups(2)), vec![3, 4, 5, 2]),
        (Layer::Conv2D(Conv2D::new(3, [1, 1])), vec![1, 4, 5, 2]),
        (Layer::Conv2DTranspose(spec::Conv2DTranspose::new(3, [2, 3])), vec![3, 4, 5, 2]),
        (Layer::DepthwiseConv2D(spec::DepthwiseConv2D::new([3, 2]).depth_multiplier(2)), vec![3, 4, 5, 2]),
        (Layer::SeparableConv2D(spec::SeparableConv2D::new(3, [3, 2])), vec![3, 4, 5, 2]),
        (Layer::Dense(Dense::new(3)), vec![3, 5]),
    ];
    for (layer, shape) in cases {
        let subject = Subject::new(layer, &spread(&shape)?, |parameter| random("parameters", parameter.dims()))?;
        let upstream = random("upstream", subject.output(&CX)?.dims());
        let data = subject.input.as_detached_tensor();
        let gradients = (subject.applied_to(&data, &CX)? * &upstream)?.sum_all()?.backward()?;
        assert!(gradients.get(&data).is_none(), "{layer:?} computes the gradient of its data");
        let with_input = subject.gradients(&upstream, &CX)?;
        for ((name, variable), (_, expected)) in subject.variables().zip(with_input).skip(1) {
            let found = gradients.get(variable).expect("a gradient of every parameter");
            assert_eq!(bits(found)?, bits(&expected)?, "{layer:?}: the gradient of {name}");
        }
    }
    Ok(())
}

fn bits(tensor: &Tensor) -> Result<Vec<u64>> {
    Ok(tensor.flatten_all()?.to_vec1::<f64>()?.into_iter().map(f64::to_bits).collect())
}

/// Tensors come from a user's own code in any layout: a batch that was `N, C, H, W`, or a gradient that a sum spread out.
#[test]
fn layouts_do_not_matter() -> Result<()> {
    for (name, cases) in LAYERS {
        let (layer, shape) = cases().pop().expect("a case of every layer");
        assert_eq!(layer.name(), *name);
        let input = as_input(layer, &spread(&shape)?)?;
        let subject = Subject::new(layer, &input, |parameter| random("parameters", parameter.dims()))?;
        let turned = subject.input.transpose(0, shape.len() - 1)?.contiguous()?.transpose(0, shape.len() - 1)?;
        let output = subject.output(&CX)?;
        assert_eq!(bits(&subject.applied_to(&turned, &CX)?)?, bits(&output)?, "{layer:?} on a transposed batch");
        let ones = subject.gradients(&output.ones_like()?, &CX)?;
        let sum = subject.output(&CX)?.transpose(0, 1)?.sum_all()?.backward()?;
        for ((name, variable), (_, expected)) in subject.variables().zip(ones) {
            let found = sum.get(variable).expect("a gradient of every variable");
            assert_eq!(bits(found)?, bits(&expected)?, "{layer:?}: the gradient of {name}, from a sum");
        }
    }
    Ok(())
}

#[test]
fn every_layer_is_checked() {
    let checked: Vec<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
    assert_eq!(checked, Layer::NAMES);
}
