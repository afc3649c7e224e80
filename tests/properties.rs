//! What holds for any arguments: the rule book's shape is the runtime's, a broken rule is an error and never a panic, and
//! the number of threads changes no bit.
//!
//! Arguments are drawn by the kinds in the layers' own tables, so a new layer is tried as soon as it has a name. Set
//! `PROPTEST_CASES` to try more of them than a test run does.

mod support;

use candle_core::{DType, Result, Tensor};
use cnn_runtime::spec::{
    Activation, AveragePooling2D, Axes, Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose, Conv3D, Conv3DTranspose, Dense,
    DepthwiseConv1D, DepthwiseConv2D, Dim, Dropout, FillMode, GlobalAveragePooling2D, GlobalMaxPooling2D, Initializer, Kind,
    Layer, MaxPooling2D, Numbers, Operand, Padding, ReLU, Resampling, SeparableConv1D, SeparableConv2D, Shape, Softmax, Target,
    Value, layers,
};
use cnn_runtime::{Context, Seed, Weights};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use rand::RngExt;
use support::{Subject, apply, as_input, device, infer, merges};

/// How many cases are tried of a property for which a layer must run, and of one that is a sum alone.
const RUNS: u32 = 64;
const SUMS: u32 = 1000;

/// Tries `property` on so many values of `strategy`, or on `PROPTEST_CASES`.
fn hold<S: Strategy>(cases: u32, strategy: S, property: impl Fn(S::Value) -> std::result::Result<(), TestCaseError>) {
    let usual = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { usual.cases } else { cases };
    let mut runner = TestRunner::new(ProptestConfig { cases, max_local_rejects: u32::MAX, failure_persistence: None, ..usual });
    runner.run(&strategy, property).unwrap_or_else(|failure| panic!("{failure}"));
}

/// A layer with arguments of a strategy for each kind.
fn layer(name: &'static str, value: fn(Kind) -> BoxedStrategy<Value>) -> impl Strategy<Value = Layer> {
    let arguments = Layer::arguments(name).expect("a layer's own name");
    let values = arguments.iter().map(|argument| {
        let value = value(argument.kind);
        if argument.default.is_none() { value.prop_map(Some).boxed() } else { proptest::option::of(value).boxed() }
    });
    values.collect::<Vec<_>>().prop_filter_map("refused", move |values| Layer::from_values(name, &values).ok())
}

/// Values that a person might write.
fn plausible(kind: Kind) -> BoxedStrategy<Value> {
    let size = || select(vec![1, 2, 3, 4, 6]).prop_map(Value::Int);
    let small = |range: std::ops::RangeInclusive<i128>| range.prop_map(Value::Int);
    let words = || select(kind.words().to_vec()).prop_map(|word| Value::Word(word.into()));
    match kind {
        Kind::Size => size().boxed(),
        Kind::Sizes(axes) => prop_oneof![small(1..=3), vec(small(1..=3), axes).prop_map(Value::Tuple)].boxed(),
        Kind::Shape => vec(size(), 1..=4).prop_map(Value::Tuple).boxed(),
        Kind::Padding(axes) => {
            let pair = vec(small(0..=2), 2).prop_map(Value::Tuple);
            prop_oneof![words(), small(0..=2), vec(pair, axes).prop_map(Value::Tuple)].boxed()
        }
        // Sizes of a target are few, so that some of them are as many elements as there are.
        Kind::Target => {
            let sizes = prop_oneof![3 => vec(select(vec![1, 2, 3, 4]), 0..=2), 1 => vec(select(vec![1, 2, 3, 6, 8]), 0..=3)];
            (sizes, 0usize..=3)
                .prop_map(|(mut sizes, open)| {
                    sizes.insert(open.min(sizes.len()), -1);
                    Value::Tuple(sizes.into_iter().map(Value::Int).collect())
                })
                .boxed()
        }
        Kind::Cells(axes) => {
            let pair = vec(small(0..=2), 2).prop_map(Value::Tuple);
            prop_oneof![small(0..=2), vec(pair, axes).prop_map(Value::Tuple)].boxed()
        }
        Kind::Interval => (0.0..0.9, 0.0..0.9).prop_map(|(a, b): (f64, f64)| interval(a.min(b), a.max(b))).boxed(),
        Kind::Numbers => {
            let row = |length| vec((0.0..2.0).prop_map(Value::Float), length).prop_map(Value::Tuple);
            let nested = (1..=3usize).prop_flat_map(move |length| vec(row(length..=length), 1..=3).prop_map(Value::Tuple));
            prop_oneof![row(1..=3), nested].boxed()
        }
        Kind::Number => (0.0..2.0).prop_map(Value::Float).boxed(),
        Kind::Flag => prop::bool::ANY.prop_map(Value::Bool).boxed(),
        Kind::Activation | Kind::Initializer | Kind::Word(_) => words().boxed(),
        Kind::Regularizer => {
            prop_oneof![words(), (0.0..1.0).prop_map(|l2| Value::Call("L2".into(), vec![(None, Value::Float(l2))]))].boxed()
        }
        Kind::Constraint => {
            let max_norm = |axis| Value::Call("MaxNorm".into(), vec![(Some("axis".into()), axis)]);
            prop_oneof![words(), small(-2..=3).prop_map(max_norm)].boxed()
        }
        Kind::Integer => small(-3..=4).boxed(),
        Kind::Axes => {
            let ordered = |rank| Just((1..=rank).map(Value::Int).collect::<Vec<_>>()).prop_shuffle();
            let order = (1..=4i128).prop_flat_map(ordered).prop_map(Value::Tuple);
            prop_oneof![small(-3..=4), vec(small(-3..=4), 0..=3).prop_map(Value::Tuple), order].boxed()
        }
        Kind::Name | Kind::Layer => unreachable!("no layer of the language takes one"),
    }
}

fn interval(low: f64, high: f64) -> Value {
    Value::Tuple(vec![Value::Float(low), Value::Float(high)])
}

/// A layer that breaks no rule, with the shape of an example it takes.
fn legal(name: &'static str) -> impl Strategy<Value = (Layer, Shape)> {
    let shape = vec(1usize..=9, 1..=4).prop_map(|sizes| Shape::of(&sizes.into_iter().map(Dim::Known).collect::<Vec<_>>()));
    (layer(name, plausible), shape).prop_filter_map("against a rule", |(layer, shape)| match layer {
        Layer::Input(input) => Some((layer, input.shape)),
        layer => infer(layer, shape).is_ok().then_some((layer, shape)),
    })
}

fn sizes(shape: &Shape) -> Vec<usize> {
    shape.dims().iter().map(|dim| dim.known().expect("a known size")).collect()
}

fn batch_of(shape: &Shape, batch: usize) -> Vec<usize> {
    [vec![batch], sizes(shape)].concat()
}

/// Numbers within ±1.
fn random(purpose: &str, dims: &[usize]) -> Tensor {
    let mut random = Seed(0).stream(purpose, 0);
    let values: Vec<f32> = (0..dims.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(values, dims, &device()).expect("as many values as the sizes say")
}

fn subject(layer: Layer, dims: &[usize]) -> Result<Subject> {
    Subject::new(layer, &as_input(layer, &random("input", dims))?, |parameter| random(parameter.name, parameter.dims()))
}

#[test]
fn the_inferred_shape_is_the_shape_that_comes_out() {
    for name in Layer::NAMES {
        hold(RUNS, (legal(name), 1usize..=3), |((layer, shape), batch)| {
            let inferred = infer(layer, shape).expect("a legal layer");
            let subject = subject(layer, &batch_of(&shape, batch)).expect("a layer that can be built");
            for cx in [Context::inference(), Context::training(Seed(0), 0)] {
                let output = subject.output(&cx).map_err(|error| TestCaseError::fail(error.to_string()))?;
                prop_assert_eq!(output.dims(), batch_of(&inferred.shape, batch));
            }
            Ok(())
        });
    }
}

#[test]
fn sizes_known_only_at_run_time_give_the_same_shape() {
    for name in Layer::NAMES.iter().filter(|name| **name != "Input") {
        hold(SUMS, legal(name), |(layer, shape)| {
            let [height, width, channels] = shape.dims() else { return Ok(()) };
            let unknown = |height, width| infer(layer, Shape::of(&[height, width, *channels]));
            let known = infer(layer, shape).expect("a legal layer").shape;
            for partly in [unknown(Dim::Unknown, *width), unknown(*height, Dim::Unknown), unknown(Dim::Unknown, Dim::Unknown)] {
                let Ok(inferred) = partly else { continue };
                let agrees = |(dim, known): (&Dim, &Dim)| dim == known || *dim == Dim::Unknown;
                prop_assert_eq!(inferred.shape.rank(), known.rank());
                prop_assert!(inferred.shape.dims().iter().zip(known.dims()).all(agrees));
            }
            Ok(())
        });
    }
}

/// Every way of breaking one rule of a legal layer.
fn broken(layer: Layer, shape: Shape) -> Vec<(Layer, Shape)> {
    let other_ranks: &[Shape] = match layer {
        Layer::Conv2D(_) | Layer::MaxPooling2D(_) | Layer::AveragePooling2D(_) => &[Shape::new([9, 9]), Shape::new([9, 9, 2, 2])],
        Layer::Conv2DTranspose(_) | Layer::DepthwiseConv2D(_) | Layer::SeparableConv2D(_) => {
            &[Shape::new([9, 9]), Shape::new([9, 9, 2, 2])]
        }
        Layer::Conv1D(_) | Layer::Conv1DTranspose(_) | Layer::DepthwiseConv1D(_) | Layer::SeparableConv1D(_) => {
            &[Shape::new([9]), Shape::new([9, 9, 2])]
        }
        Layer::Conv3D(_) | Layer::Conv3DTranspose(_) => &[Shape::new([9, 9, 9]), Shape::new([9, 9, 2, 2, 2])],
        Layer::GlobalMaxPooling2D(_) | Layer::GlobalAveragePooling2D(_) => &[Shape::new([9, 9]), Shape::new([9])],
        Layer::Dense(_) => &[Shape::new([3, 3, 2]), Shape::new([3, 3])],
        Layer::SpatialDropout1D(_) | Layer::SpatialDropout3D(_) => &[Shape::new([3, 3, 2])],
        Layer::SpatialDropout2D(_) => &[Shape::new([3, 3]), Shape::new([3, 3, 2, 2])],
        Layer::RepeatVector(_) => &[Shape::new([3, 3])],
        other if other.name().ends_with("1D") => &[Shape::new([9, 9, 2]), Shape::new([9])],
        other if other.name().ends_with("2D") => &[Shape::new([9, 9]), Shape::new([9, 9, 9, 2])],
        other if other.name().ends_with("3D") => &[Shape::new([9, 9, 2]), Shape::new([9, 9, 9, 9, 2])],
        other if other.name().starts_with("Random") => &[Shape::new([9, 9]), Shape::new([9, 9, 9, 2])],
        _ => &[],
    };
    let layers = match layer {
        Layer::Conv2D(spec) => broken_convolutions(spec, &shape).into_iter().map(Layer::Conv2D).collect(),
        Layer::Conv1D(spec) => {
            [Conv1D { kernel_size: [0], ..spec }, spec.strides([0]), spec.groups(0), spec.groups(10), too_long(&shape, spec)]
                .map(Layer::Conv1D)
                .into()
        }
        Layer::Conv3D(spec) => {
            let valid = spec.padding(Padding::Valid).dilation_rate([1; 3]);
            let kernel = |kernel_size| Conv3D { kernel_size, ..valid };
            [kernel([10, 1, 1]), kernel([1, 1, 10]), kernel([1, 0, 1]), spec.dilation_rate([1, 1, 0]), spec.groups(10)]
                .map(Layer::Conv3D)
                .into()
        }
        Layer::Conv1DTranspose(spec) => [
            spec.padding(Padding::Causal),
            spec.output_padding(Some(spec.strides)),
            spec.padding(Padding::Explicit([[50, 50]])),
            Conv1DTranspose { filters: 0, ..spec },
        ]
        .map(Layer::Conv1DTranspose)
        .into(),
        Layer::Conv2DTranspose(spec) => [
            spec.output_padding(Some([0, spec.strides[1]])),
            spec.padding(Padding::Explicit([[0, 0], [50, 50]])),
            spec.dilation_rate([0, 1]),
            Conv2DTranspose { kernel_size: [1, 0], ..spec },
        ]
        .map(Layer::Conv2DTranspose)
        .into(),
        Layer::Conv3DTranspose(spec) => {
            [spec.output_padding(Some([0, 0, spec.strides[2]])), spec.strides([1, 1, 0]), Conv3DTranspose { filters: 0, ..spec }]
                .map(Layer::Conv3DTranspose)
                .into()
        }
        Layer::DepthwiseConv1D(spec) => {
            [spec.depth_multiplier(0), DepthwiseConv1D { kernel_size: [10], ..spec.padding(Padding::Valid) }, spec.strides([0])]
                .map(Layer::DepthwiseConv1D)
                .into()
        }
        Layer::DepthwiseConv2D(spec) => broken_windows(&shape, spec.kernel_size)
            .map(|(kernel_size, strides, padding)| DepthwiseConv2D {
                kernel_size,
                ..spec.strides(strides).padding(padding).dilation_rate([1, 1]).strict(true)
            })
            .into_iter()
            .chain([spec.depth_multiplier(0)])
            .map(Layer::DepthwiseConv2D)
            .collect(),
        Layer::SeparableConv1D(spec) => {
            [spec.depth_multiplier(0), SeparableConv1D { filters: 0, ..spec }, spec.dilation_rate([0])]
                .map(Layer::SeparableConv1D)
                .into()
        }
        Layer::SeparableConv2D(spec) => broken_windows(&shape, spec.kernel_size)
            .map(|(kernel_size, strides, padding)| SeparableConv2D {
                kernel_size,
                ..spec.strides(strides).padding(padding).dilation_rate([1, 1]).strict(true)
            })
            .into_iter()
            .chain([spec.depth_multiplier(0), SeparableConv2D { filters: 0, ..spec }])
            .map(Layer::SeparableConv2D)
            .collect(),
        Layer::MaxPooling2D(spec) => broken_windows(&shape, spec.pool_size)
            .map(|(size, strides, padding)| spec.pool_size(size).strides(Some(strides)).padding(padding).strict(true))
            .map(Layer::MaxPooling2D)
            .into(),
        Layer::AveragePooling2D(spec) => broken_windows(&shape, spec.pool_size)
            .map(|(pool_size, strides, padding)| AveragePooling2D {
                pool_size,
                ..spec.strides(Some(strides)).padding(padding).strict(true)
            })
            .map(Layer::AveragePooling2D)
            .into(),
        Layer::Dense(spec) => vec![Layer::Dense(Dense { units: 0, ..spec })],
        Layer::BatchNormalization(spec) => {
            let broken = [spec.axis(0), spec.axis(7), spec.momentum(1.1), spec.momentum(f64::NAN), spec.epsilon(-1.0)];
            broken.map(Layer::BatchNormalization).into()
        }
        Layer::LayerNormalization(spec) => {
            [spec.axis(Axes::NONE), spec.axis(Axes::new([0])), spec.epsilon(f64::NAN)].map(Layer::LayerNormalization).into()
        }
        Layer::GroupNormalization(spec) => {
            let channels = *sizes(&shape).last().expect("an axis") as isize;
            [spec.groups(0), spec.groups(-2), spec.groups(channels + 1), spec.axis(0)].map(Layer::GroupNormalization).into()
        }
        Layer::LocalResponseNormalization(spec) => {
            [spec.alpha(-1.0), spec.beta(f64::NAN), spec.k(0.0)].map(Layer::LocalResponseNormalization).into()
        }
        Layer::Dot(spec) => [Axes::NONE, Axes::new([0]), Axes::new([1, 7]), Axes::new([1, 1, 1])]
            .map(|axes| Layer::Dot(layers::Dot { axes, ..spec }))
            .into(),
        Layer::Softmax(spec) => [spec.axis(0), spec.axis(7), spec.axis(-7)].map(Layer::Softmax).into(),
        Layer::PReLU(spec) => [Axes::new([0]), Axes::new([7])].map(|axes| Layer::PReLU(spec.shared_axes(axes))).into(),
        Layer::UnitNormalization(spec) => {
            [Axes::NONE, Axes::new([0]), Axes::new([7])].map(|axes| Layer::UnitNormalization(spec.axis(axes))).into()
        }
        Layer::RMSNormalization(spec) => {
            [spec.axis(Axes::NONE), spec.axis(Axes::new([0])), spec.epsilon(-1.0)].map(Layer::RMSNormalization).into()
        }
        Layer::Threshold(_) => [[f64::NAN, 0.0], [0.0, f64::INFINITY]]
            .map(|[threshold, value]| Layer::Threshold(layers::Threshold::new(threshold, value)))
            .into(),
        Layer::ActivityRegularization(spec) => [spec.l1(-0.1), spec.l2(f64::NAN)].map(Layer::ActivityRegularization).into(),
        Layer::GaussianDropout(_) => {
            [1.0, -0.1, f64::NAN].map(|rate| Layer::GaussianDropout(layers::GaussianDropout::new(rate))).into()
        }
        Layer::AlphaDropout(spec) => [1.0, -0.1].map(|rate| Layer::AlphaDropout(layers::AlphaDropout { rate, ..spec })).into(),
        Layer::GaussianNoise(spec) => {
            [1.1, -0.1, f64::NAN].map(|stddev| Layer::GaussianNoise(layers::GaussianNoise { stddev, ..spec })).into()
        }
        Layer::Dropout(spec) => [1.0, -0.1, 20.0, f64::NAN].map(|rate| Layer::Dropout(Dropout { rate, ..spec })).into(),
        Layer::ReLU(relu) => {
            [relu.max_value(Some(-1.0)), relu.negative_slope(-0.1), relu.threshold(-0.1)].map(Layer::ReLU).into()
        }
        Layer::Input(_) => vec![Layer::Input(layers::Input::new(Shape::new([3, 0, 1])))],
        Layer::Reshape(_) => {
            let targets = [&[Dim::Known(0), Dim::Unknown][..], &[Dim::Unknown; 2], &[Dim::Known(10_007), Dim::Unknown]];
            targets.map(|dims| Layer::Reshape(layers::Reshape::new(Target::of(dims)))).into()
        }
        Layer::Permute(_) => {
            [Axes::new([0]), Axes::new([1, 1]), Axes::new([2])].map(|dims| Layer::Permute(layers::Permute::new(dims))).into()
        }
        Layer::RepeatVector(_) => vec![Layer::RepeatVector(layers::RepeatVector::new(0))],
        Layer::Cropping1D(spec) => vec![Layer::Cropping1D(spec.cropping([[5, sizes(&shape)[0]]]))],
        Layer::Cropping2D(spec) => vec![Layer::Cropping2D(spec.cropping([[0, 0], [sizes(&shape)[1], 0]]))],
        Layer::Cropping3D(spec) => vec![Layer::Cropping3D(spec.cropping([[0, 0], [0, 0], [0, sizes(&shape)[2]]]))],
        Layer::UpSampling2D(spec) => vec![Layer::UpSampling2D(spec.size([1, 0]))],
        Layer::Normalization(spec) => [Axes::new([0]), Axes::new([7])].map(|axes| Layer::Normalization(spec.axis(axes))).into(),
        Layer::Resizing(spec) => [
            layers::Resizing { width: 0, ..spec },
            spec.crop_to_aspect_ratio(true).pad_to_aspect_ratio(true),
            spec.fill_mode(FillMode::Reflect),
            spec.fill_value(f64::INFINITY),
        ]
        .map(Layer::Resizing)
        .into(),
        Layer::Embedding(spec) => vec![Layer::Embedding(layers::Embedding { input_dim: 0, ..spec })],
        Layer::RandomRotation(spec) => [[0.2, 0.1], [-2.0, 0.0], [f64::NAN, 0.0]]
            .map(|factor| Layer::RandomRotation(layers::RandomRotation { factor, ..spec }))
            .into(),
        _ => vec![],
    };
    let wrong_layers = layers.into_iter().map(|layer| (layer, shape));
    wrong_layers.chain(other_ranks.iter().map(|shape| (layer, *shape))).collect()
}

/// The layer with a kernel one step longer than the sequence.
fn too_long(shape: &Shape, spec: Conv1D) -> Conv1D {
    Conv1D { kernel_size: [sizes(shape)[0] + 1], ..spec.padding(Padding::Valid).dilation_rate([1]) }
}

fn broken_convolutions(spec: Conv2D, shape: &Shape) -> Vec<Conv2D> {
    let channels = sizes(shape)[2];
    let windows = broken_windows(shape, spec.kernel_size).map(|(kernel_size, strides, padding)| Conv2D {
        kernel_size,
        ..spec.strides(strides).padding(padding).dilation_rate([1, 1]).strict(true)
    });
    let others = [
        Conv2D { filters: 0, ..spec },
        spec.groups(0),
        spec.groups(channels + 1),
        Conv2D { filters: 2 * channels + 1, ..spec.groups(channels.max(2)) },
        spec.dilation_rate([1, 0]),
    ];
    windows.into_iter().chain(others).collect()
}

/// Windows, strides and paddings that are 0, too large, or do not fit a whole number of times.
fn broken_windows(shape: &Shape, [height, width]: [usize; 2]) -> [([usize; 2], [usize; 2], Padding<2>); 6] {
    let [rows, columns] = [sizes(shape)[0], sizes(shape)[1]];
    let valid = Padding::Valid;
    [
        ([0, width], [1, 1], valid),
        ([height, 0], [1, 1], Padding::Same),
        ([1, 1], [1, 0], Padding::Full),
        ([rows + 1, 1], [1, 1], valid),
        ([1, columns + 2], [1, 1], Padding::Explicit([[0, 0], [1, 0]])),
        ([2, 1], [rows + 1, 1], Padding::Explicit([[1, 1], [0, 0]])),
    ]
}

#[test]
fn a_broken_rule_is_an_error() {
    for name in Layer::NAMES {
        hold(SUMS, legal(name), |(layer, shape)| {
            for (layer, shape) in broken(layer, shape) {
                let Err(error) = infer(layer, shape) else { return Err(TestCaseError::fail(format!("{layer:?} takes {shape}"))) };
                let message = error.message.as_str();
                prop_assert!(!message.is_empty() && !message.ends_with('.') && !error.help.is_empty(), "{}", error);
            }
            let operand = Operand::new("x", shape);
            let inputs: &[&[Operand]] = match &layer {
                Layer::Input(_) => &[&[operand]],
                layer if merges(layer) => &[&[], &[operand]],
                _ => &[&[], &[operand, operand]],
            };
            for inputs in inputs {
                prop_assert!(layer.infer(inputs).is_err(), "{layer:?} takes {} tensors", inputs.len());
            }
            Ok(())
        });
    }
}

/// At run time, sizes the compiler could not know are checked by the same rules.
#[test]
fn a_broken_rule_is_an_error_at_run_time() {
    let convolutions = ["Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"];
    for name in convolutions.into_iter().chain(["MaxPooling2D", "AveragePooling2D", "Dense"]) {
        hold(RUNS, legal(name), |(layer, shape)| {
            let parameters = subject(layer, &batch_of(&shape, 1)).expect("a layer that can be built").parameters;
            let parameters = parameters.into_iter().map(|(name, var)| (name.into(), var.into_inner())).collect();
            for (layer, shape) in broken(layer, shape) {
                let xs = random("input", &batch_of(&shape, 2));
                prop_assert!(apply(layer, &parameters, &xs, &Context::inference()).is_err(), "{layer:?} runs on {shape}");
            }
            Ok(())
        });
    }
}

/// Values that nobody would write.
fn wild(kind: Kind) -> BoxedStrategy<Value> {
    let size = || wild_size().prop_map(|n| Value::Int(n as i128));
    let number = prop_oneof![any::<f64>(), select(vec![f64::NAN, f64::INFINITY, -0.0])];
    match kind {
        Kind::Size => size().boxed(),
        Kind::Sizes(axes) => vec(size(), axes).prop_map(Value::Tuple).boxed(),
        Kind::Shape | Kind::Target => {
            vec(prop_oneof![size(), Just(Value::Unknown)], 1..=Shape::MAX_RANK).prop_map(Value::Tuple).boxed()
        }
        Kind::Cells(axes) => vec(vec(size(), 2).prop_map(Value::Tuple), axes).prop_map(Value::Tuple).boxed(),
        Kind::Interval => vec(number.prop_map(Value::Float), 2).prop_map(Value::Tuple).boxed(),
        Kind::Numbers => vec(number.prop_map(Value::Float), 1..=Numbers::MAX).prop_map(Value::Tuple).boxed(),
        Kind::Padding(axes) => {
            prop_oneof![plausible(kind), vec(vec(size(), 2).prop_map(Value::Tuple), axes).prop_map(Value::Tuple)].boxed()
        }
        Kind::Number => number.prop_map(Value::Float).boxed(),
        Kind::Integer => wild_size().prop_map(|n| Value::Int(5 - n as i128)).boxed(),
        Kind::Axes => {
            vec(wild_size().prop_map(|n| Value::Int(5 - n as i128)), 0..=Shape::MAX_RANK).prop_map(Value::Tuple).boxed()
        }
        other => plausible(other),
    }
}

/// Sizes from 0 to the largest that a layer's arguments may have.
fn wild_size() -> impl Strategy<Value = usize> {
    prop_oneof![0..=9usize, 0..=Shape::MAX_SIZE, Shape::MAX_SIZE - 9..=Shape::MAX_SIZE]
}

fn wild_shape() -> impl Strategy<Value = Shape> {
    let dim = prop_oneof![4 => wild_size().prop_map(Dim::Known), 1 => Just(Dim::Unknown)];
    let dims = prop_oneof![2 => vec(dim.clone(), 3), 1 => vec(dim, 0..=Shape::MAX_RANK)];
    dims.prop_map(|dims| Shape::of(&dims))
}

#[test]
fn no_size_makes_a_rule_panic() {
    for name in Layer::NAMES {
        hold(SUMS, (layer(name, wild), wild_shape()), |(layer, shape)| {
            if let Ok(inferred) = infer(layer, shape) {
                let bounded = |dim: &Dim| dim.known().is_none_or(|n| n <= Shape::MAX_SIZE);
                prop_assert!(inferred.shape.dims().iter().all(bounded), "{layer:?} gives {}", inferred.shape);
                inferred.parameters.count();
            }
            Ok(())
        });
    }
}

/// `model!` reads no literal beyond [`Shape::MAX_SIZE`], but a `const` of the user's may be any number.
#[test]
fn no_constant_makes_a_rule_panic() {
    let size = || prop_oneof![8 => wild_size(), 1 => any::<usize>(), 1 => Just(usize::MAX)];
    let pair = || prop::array::uniform2(size());
    let padding = || {
        let words = select(vec![Padding::Valid, Padding::Same, Padding::Full]);
        prop_oneof![words, prop::array::uniform2(pair()).prop_map(Padding::Explicit)]
    };
    let shape = || vec(wild_size(), 3).prop_map(|sizes| Shape::of(&sizes.into_iter().map(Dim::Known).collect::<Vec<_>>()));
    let arguments = (pair(), pair(), pair(), padding(), (size(), size(), wild_size(), prop::bool::ANY), shape());
    hold(SUMS, arguments, |(window, strides, dilation, padding, (filters, groups, rows, strict), shape)| {
        let conv2d = Conv2D::new(filters, window).strides(strides).dilation_rate(dilation).padding(padding).groups(groups);
        let transposed = Conv2DTranspose::new(filters, window).strides(strides).dilation_rate(dilation).padding(padding);
        let depthwise = DepthwiseConv2D::new(window).strides(strides).padding(padding).depth_multiplier(groups);
        let separable = SeparableConv2D::new(filters, window).dilation_rate(dilation).depth_multiplier(groups);
        let pool = MaxPooling2D::new().pool_size(window).strides(Some(strides)).padding(padding).strict(strict);
        let average = AveragePooling2D::new(window).padding(padding).strict(strict);
        let dense = Layer::Dense(Dense::new(filters));
        let windows = [
            Layer::Conv2D(conv2d.strict(strict)),
            Layer::Conv2DTranspose(transposed.output_padding(strict.then_some(dilation))),
            Layer::DepthwiseConv2D(depthwise.strict(strict)),
            Layer::SeparableConv2D(separable.strict(strict)),
            Layer::MaxPooling2D(pool),
            Layer::AveragePooling2D(average),
        ];
        for (layer, shape) in windows.map(|layer| (layer, shape)).into_iter().chain([(dense, Shape::new([rows]))]) {
            if let Ok(inferred) = infer(layer, shape) {
                prop_assert!(sizes(&inferred.shape).iter().all(|n| *n <= Shape::MAX_SIZE), "{layer:?} gives {}", inferred.shape);
            }
        }
        Ok(())
    });
}

/// Layers with so much to do that threads share it: each kind of convolution, and every other layer that computes.
fn large() -> Vec<(Layer, Vec<usize>)> {
    let conv2d = Conv2D::new(32, [3, 3]).padding(Padding::Same).activation(Activation::Gelu);
    let convolutions = [
        conv2d,
        conv2d.strides([2, 2]),
        conv2d.groups(4).dilation_rate([2, 1]),
        conv2d.groups(16).use_bias(false),
        Conv2D::new(48, [1, 1]).activation(Activation::Relu),
    ];
    let transposed = Conv2DTranspose::new(24, [3, 3]).strides([2, 2]).padding(Padding::Same).activation(Activation::Relu);
    let other_images = [
        Layer::Conv2D(conv2d.groups(16).strides([2, 1])),
        Layer::Conv2DTranspose(transposed),
        Layer::DepthwiseConv2D(DepthwiseConv2D::new([3, 3]).depth_multiplier(3).activation(Activation::Gelu)),
        Layer::SeparableConv2D(SeparableConv2D::new(24, [3, 3]).padding(Padding::Same).activation(Activation::Relu)),
    ];
    let sequences = [
        Layer::Conv1D(Conv1D::new(32, [5]).padding(Padding::Causal).activation(Activation::Relu)),
        Layer::Conv1DTranspose(Conv1DTranspose::new(24, [3]).strides([2])),
        Layer::DepthwiseConv1D(DepthwiseConv1D::new([3]).depth_multiplier(2)),
        Layer::SeparableConv1D(SeparableConv1D::new(24, [3])),
    ];
    let volumes = [
        Layer::Conv3D(Conv3D::new(16, [3, 3, 3])),
        Layer::Conv3DTranspose(Conv3DTranspose::new(6, [2, 2, 2]).strides([2, 2, 2])),
    ];
    let image = vec![6, 21, 20, 16];
    let layers = [
        Layer::MaxPooling2D(MaxPooling2D::new().pool_size([3, 3]).strides(Some([2, 2])).padding(Padding::Same)),
        Layer::AveragePooling2D(AveragePooling2D::new([3, 3]).strides(Some([1, 2])).padding(Padding::Same)),
        Layer::GlobalMaxPooling2D(GlobalMaxPooling2D::new()),
        Layer::GlobalAveragePooling2D(GlobalAveragePooling2D::new()),
        Layer::Dropout(Dropout::new(0.4)),
        Layer::Activation(layers::Activation::new(Activation::Mish)),
        Layer::ReLU(ReLU::new().negative_slope(0.1)),
        Layer::Softmax(Softmax::new()),
        Layer::Softmax(Softmax::new().axis(1)),
        Layer::Activation(layers::Activation::new(Activation::Glu)),
        Layer::Activation(layers::Activation::new(Activation::Sparsemax)),
        Layer::Dropout(Dropout::new(0.4).noise_shape(Some(Shape::new([21, 1, 16])))),
        Layer::LeakyReLU(layers::LeakyReLU::new()),
        Layer::ELU(layers::ELU::new()),
        Layer::PReLU(layers::PReLU::new().shared_axes(Axes::new([1, 2]))),
        Layer::BatchNormalization(layers::BatchNormalization::new()),
        Layer::LayerNormalization(layers::LayerNormalization::new()),
        Layer::GroupNormalization(layers::GroupNormalization::new().groups(4)),
        Layer::LocalResponseNormalization(layers::LocalResponseNormalization::new(5)),
        Layer::SpatialDropout2D(layers::SpatialDropout2D::new(0.4)),
        Layer::GaussianNoise(layers::GaussianNoise::new(0.4)),
        Layer::Add(layers::Add::new()),
        Layer::Subtract(layers::Subtract::new()),
        Layer::Multiply(layers::Multiply::new()),
        Layer::Average(layers::Average::new()),
        Layer::Maximum(layers::Maximum::new()),
        Layer::Minimum(layers::Minimum::new()),
        Layer::Concatenate(layers::Concatenate::new()),
        Layer::Dot(layers::Dot::new(Axes::new([-1])).normalize(true)),
    ];
    let dense = Dense::new(300).activation(Activation::Tanh);
    let vectors =
        [vec![256, 300], vec![128, 1152], vec![32, 400], vec![3, 3000], vec![1, 5000]].map(|shape| (Layer::Dense(dense), shape));
    let images = convolutions.map(Layer::Conv2D).into_iter().chain(other_images).chain(layers);
    let images = images.map(|layer| (layer, image.clone()));
    let sequences = sequences.map(|layer| (layer, vec![7, 300, 8]));
    let volumes = volumes.map(|layer| (layer, vec![5, 8, 9, 7, 8]));
    let others = [
        (Layer::Conv2DTranspose(transposed), vec![1, 40, 37, 16]),
        (Layer::Conv1DTranspose(Conv1DTranspose::new(24, [3]).strides([2])), vec![1, 900, 8]),
        (Layer::Conv2D(conv2d), vec![1, 40, 37, 16]),
        // Small images, many and few, and images of few channels.
        (Layer::Conv2D(Conv2D::new(72, [3, 3]).strides([2, 2])), vec![70, 13, 13, 32]),
        (Layer::Conv2D(Conv2D::new(136, [3, 3]).strides([2, 2])), vec![20, 6, 6, 64]),
        (Layer::Conv2D(Conv2D::new(40, [3, 3]).strides([2, 2])), vec![16, 6, 6, 72]),
        (Layer::Conv2D(Conv2D::new(64, [3, 3]).padding(Padding::Same)), vec![40, 8, 8, 64]),
        (Layer::Conv2D(Conv2D::new(32, [3, 3]).strides([2, 2]).activation(Activation::Relu)), vec![40, 28, 28, 1]),
        (Layer::BatchNormalization(layers::BatchNormalization::new()), vec![9000, 10]),
        (Layer::PReLU(layers::PReLU::new()), vec![40, 30, 70]),
        (Layer::Dot(layers::Dot::new(Axes::new([1]))), vec![1, 500, 300]),
        (Layer::SpatialDropout1D(layers::SpatialDropout1D::new(0.4)), vec![30, 20, 40]),
        (Layer::SpatialDropout3D(layers::SpatialDropout3D::new(0.4)), vec![5, 10, 9, 8, 12]),
    ];
    images.chain(sequences).chain(volumes).chain(vectors).chain(others).chain(large_on_axes()).collect()
}

/// The same of the layers of 1, 2 and 3 axes that move or pool cells, and of the input side.
fn large_on_axes() -> Vec<(Layer, Vec<usize>)> {
    use layers::*;
    let sequences = [
        Layer::MaxPooling1D(MaxPooling1D::new()),
        Layer::AveragePooling1D(AveragePooling1D::new([3]).padding(Padding::Same)),
        Layer::SumPooling1D(SumPooling1D::new([2])),
        Layer::GlobalMaxPooling1D(GlobalMaxPooling1D::new()),
        Layer::GlobalAveragePooling1D(GlobalAveragePooling1D::new()),
        Layer::AdaptiveAveragePooling1D(AdaptiveAveragePooling1D::new([7])),
        Layer::AdaptiveMaxPooling1D(AdaptiveMaxPooling1D::new([7])),
        Layer::ZeroPadding1D(ZeroPadding1D::new()),
        Layer::Cropping1D(Cropping1D::new()),
        Layer::UpSampling1D(UpSampling1D::new()),
        Layer::Embedding(Embedding::new(50, 3)),
    ];
    let images = [
        Layer::SumPooling2D(SumPooling2D::new([2, 3])),
        Layer::AdaptiveAveragePooling2D(AdaptiveAveragePooling2D::new([7, 6])),
        Layer::AdaptiveMaxPooling2D(AdaptiveMaxPooling2D::new([7, 6])),
        Layer::ZeroPadding2D(ZeroPadding2D::new()),
        Layer::Cropping2D(Cropping2D::new().cropping([[1, 2], [0, 3]])),
        Layer::UpSampling2D(UpSampling2D::new().interpolation(Resampling::Bicubic)),
        Layer::Reshape(Reshape::new(Target::of(&[Dim::Known(42), Dim::Unknown]))),
        Layer::Permute(Permute::new(Axes::new([3, 1, 2]))),
        Layer::Rescaling(Rescaling::new(0.1)),
        Layer::Normalization(Normalization::new()),
        Layer::Resizing(Resizing::new(30, 17)),
        Layer::CenterCrop(CenterCrop::new(13, 12)),
        Layer::RandomFlip(RandomFlip::new()),
        Layer::RandomRotation(RandomRotation::new([-0.1, 0.1])),
        Layer::RandomTranslation(RandomTranslation::new([-0.1, 0.1], [-0.1, 0.1])),
        Layer::RandomZoom(RandomZoom::new([-0.1, 0.1])),
        Layer::RandomCrop(RandomCrop::new(16, 16)),
        Layer::RandomContrast(RandomContrast::new([-0.1, 0.1])),
        Layer::RandomBrightness(RandomBrightness::new([-0.1, 0.1])),
        Layer::RandomErasing(RandomErasing::new()),
        Layer::Threshold(Threshold::new(0.1, -1.0)),
        Layer::RMSNormalization(RMSNormalization::new()),
        Layer::UnitNormalization(UnitNormalization::new().axis(Axes::new([1, 2]))),
        Layer::GaussianDropout(GaussianDropout::new(0.4)),
        Layer::AlphaDropout(AlphaDropout::new(0.4)),
    ];
    let volumes = [
        Layer::MaxPooling3D(MaxPooling3D::new()),
        Layer::AveragePooling3D(AveragePooling3D::new([3, 2, 3]).padding(Padding::Same)),
        Layer::SumPooling3D(SumPooling3D::new([2, 2, 2])),
        Layer::GlobalMaxPooling3D(GlobalMaxPooling3D::new()),
        Layer::GlobalAveragePooling3D(GlobalAveragePooling3D::new()),
        Layer::AdaptiveAveragePooling3D(AdaptiveAveragePooling3D::new([3, 4, 5])),
        Layer::AdaptiveMaxPooling3D(AdaptiveMaxPooling3D::new([3, 4, 5])),
        Layer::ZeroPadding3D(ZeroPadding3D::new()),
        Layer::Cropping3D(Cropping3D::new()),
        Layer::UpSampling3D(UpSampling3D::new()),
    ];
    let on = |shape: &[usize]| {
        let shape = shape.to_vec();
        move |layer| (layer, shape.clone())
    };
    let vectors = std::iter::once((Layer::RepeatVector(RepeatVector::new(30)), vec![6, 900]));
    let (sequences, images) = (sequences.into_iter().map(on(&[5, 210, 16])), images.into_iter().map(on(&[6, 21, 20, 16])));
    sequences.chain(images).chain(volumes.into_iter().map(on(&[4, 8, 11, 10, 6]))).chain(vectors).collect()
}

#[test]
fn every_layer_that_computes_is_tried_on_threads() {
    let tried = |name: &&&str| !large().iter().any(|(layer, _)| layer.name() == **name);
    let rest: Vec<_> = Layer::NAMES.iter().filter(tried).collect();
    assert_eq!(rest, [&"Input", &"Flatten", &"ActivityRegularization", &"Identity"]);
}

/// That a layer gives a tensor or an error, forward and backward, where there is no example, or nothing along an axis.
#[test]
fn tensors_without_a_value_are_answered() {
    let cx = Context::training(Seed(7), 3);
    let run = |layer: Layer, dims: &[usize]| {
        let subject = subject(layer, dims)?;
        let output = subject.output(&cx)?;
        subject.gradients(&random("upstream", output.dims()), &cx).map(drop)
    };
    let mut panicked = Vec::new();
    for (layer, dims) in large() {
        for axis in 0..dims.len() {
            let mut dims = dims.clone();
            dims[axis] = 0;
            if std::panic::catch_unwind(|| run(layer, &dims)).is_err() {
                panicked.push(format!("{layer:?} on {dims:?}"));
            }
        }
    }
    assert!(panicked.is_empty(), "{}", panicked.join("\n"));
}

/// The bits of the output and of every gradient, on so many threads.
fn bits_on(threads: usize, subject: &Subject) -> Result<Vec<(&'static str, Vec<u32>)>> {
    let bits = |tensor: &Tensor| Result::Ok(tensor.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect());
    on_threads(threads, || {
        let cx = Context::training(Seed(7), 3);
        let output = subject.output(&cx)?;
        let gradients = subject.gradients(&random("upstream", output.dims()), &cx)?;
        let tensors = std::iter::once(("output", output)).chain(gradients);
        tensors.map(|(name, tensor)| Ok((name, bits(&tensor)?))).collect()
    })
}

fn on_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads").install(run)
}

#[test]
fn the_number_of_threads_changes_no_bit() -> Result<()> {
    for (layer, dims) in large() {
        let subject = subject(layer, &dims)?;
        let alone = bits_on(1, &subject)?;
        for threads in [2, 3] {
            for ((name, expected), (_, found)) in alone.iter().zip(bits_on(threads, &subject)?) {
                let first = expected.iter().zip(&found).position(|(expected, found)| expected != found);
                assert_eq!(first, None, "{layer:?} on {dims:?}: element of {name} that differs on {threads} threads");
            }
        }
    }
    Ok(())
}

#[test]
fn the_number_of_threads_changes_no_initial_weight() -> Result<()> {
    for word in Initializer::WORDS {
        let initializer = Initializer::from_word(word).expect("one of its words");
        let layer = Dense::new(100).kernel_initializer(initializer);
        let inferred = infer(Layer::Dense(layer), Shape::new([130])).map_err(candle_core::Error::wrap)?;
        let draw = |seed| Weights::fresh(Seed(seed), DType::F32, &device()).pp("dense").get(&inferred.parameters.as_slice()[0]);
        let values = |threads, seed| on_threads(threads, || draw(seed))?.flatten_all()?.to_vec1::<f32>();
        assert_eq!(values(1, 5)?, values(2, 5)?, "{word}");
        assert_eq!(values(1, 5)? == values(1, 6)?, ["zeros", "ones"].contains(word), "{word}");
    }
    Ok(())
}
