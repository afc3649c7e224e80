//! The language as the lecture and as Keras write it: that it compiles without a warning, and means what it says.

#![deny(warnings, missing_docs, non_snake_case, clippy::all)]

use cnn_runtime::candle_core::{self, Tensor};
use cnn_runtime::candle_nn::{self, ModuleT, VarBuilder, VarMap};
use cnn_runtime::layers::CustomLayer;
use cnn_runtime::prelude::{
    Accuracy, Adam, Context, DType, Dataset, Device, Fit, Model, Network, Result, Seed, SparseCategoricalCrossentropy, Verbose,
    model,
};
use cnn_runtime::spec::{self, At, Inferred, Initializer, Operand, Parameter, Parameters, Reach, Shape, ShapeError, Text, rules};

model! {
    /// The lecture's Fashion-MNIST classifier.
    #[derive(Clone, Debug)]
    pub FashionCnn {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, stride=2, relu)(i);
        x = Conv2D(64, 3, stride=2, relu)(x);
        x = Conv2D(128, 3, stride=2, relu)(x);
        x = Flatten()(x);
        x = Dropout(0.2)(x);
        x = Dense(512, relu)(x);
        x = Dropout(0.2)(x);
        x = Dense(10, softmax)(x);
    }

    /// Every layer, its arguments named as in Keras code.
    pub(crate) Everything {
        #![strict]
        X = Input(shape=(32, 32, 3), name="image");
        x = Conv2D(filters=32, kernel_size=(3, 3), strides=(1, 1), padding="same", activation="relu", name="Stem")(X);
        x = Conv2D(32, (3, 3), strides=2, activation="relu", padding="same")(x);
        x = Conv2D(4 * 8, 3, padding=((1, 1), (2, 0)), dilation=1, groups=4, bias=False, kernel_initializer=he_normal)(x);
        x = MaxPooling2D()(x);
        x = AveragePooling2D(2, strides=1, padding=valid)(x);
        x = Activation("gelu")(x);
        x = ReLU(max_value=6.0, negative_slope=0.1)(x);
        skip = x;
        a = GlobalMaxPooling2D(keepdims=true)(skip);
        a = Flatten()(a);
        b = GlobalAveragePooling2D()(x);
        b = Dense(5, use_bias=False, activation=None)(b);
        b = Softmax()(b);
        Model(inputs=X, outputs=[a, b])
    }

    // Names that the expansion uses too.
    Ends {
        cx = Input(_, _, 3);
        image = cx;
        weights = Input(8);
        cx = GlobalMaxPooling2D()(cx);
        inputs = Dense(2)(weights);
        Model([weights, image], [inputs, cx]);
    }
}

model! {
    /// He et al.'s bottleneck.
    block bottleneck(filters, stride = 1, project = false)(x) {
        y = Conv2D(filters, 1, stride=stride, relu)(x);
        y = Conv2D(filters, 3, same, relu)(y);
        y = Conv2D(4 * filters, 1)(y);
        if project {
            x = Conv2D(4 * filters, 1, stride=stride)(x);
        }
        ReLU()(y + x)
    }

    block stage(filters, depth, stride = 2)(x) {
        x = bottleneck(filters, stride=stride, project)(x);
        for _ in 1..depth {
            x = bottleneck(filters)(x);
        }
        x
    }

    block inception(one, three, five, pool)(x) {
        a = Conv2D(one, 1, relu)(x);
        b = Conv2D(three, 3, same, relu)(Conv2D(three / 2, 1, relu)(x));
        c = Conv2D(five, 5, same, relu)(Conv2D(five / 2, 1, relu)(x));
        d = Conv2D(pool, 1, relu)(MaxPooling2D(3, stride=1, same)(x));
        Concatenate()([a, b, c, d])
    }

    block dense_block(depth, growth)(x) {
        for _ in 0..depth {
            y = Conv2D(growth, 3, same, relu)(x);
            x = Concatenate()([x, y]);
        }
        x
    }

    /// ResNet-50 without its normalisation.
    pub ResNet50 {
        i = Input(224, 224, 3);
        x = Conv2D(64, 7, stride=2, same, relu)(i);
        x = MaxPooling2D(3, stride=2, same)(x);
        x = stage(64, 3, stride=1)(x);
        for (filters, depth) in [(128, 4), (256, 6), (512, 3)] {
            x = stage(filters, depth)(x);
        }
        x = GlobalAveragePooling2D()(x);
        x = Dense(1000, softmax)(x);
    }

    /// One of everything that blocks can do, on small images.
    pub Branches {
        i = Input(8, 8, 3);
        j = Input(8, 8, 3);
        conv = Conv2D(4, 3, same, name=shared);
        a = conv(i);
        b = conv(j);
        x = inception(4, 8, 4, 2)(a);
        x = dense_block(2, 3, frozen)(x);
        y = Maximum()([a, b]) + Subtract()([a, b]);
        z = Average()([a, b, y]);
        z = Concatenate(axis=1)([z, Multiply()([z, y])]);
        Model([i, j], [x, z])
    }

    /// A layer applied to what it gives, in one expression, in several, and in a loop.
    pub Repeated {
        i = Input(6, 5, 4);
        conv = Conv2D(4, 3, same, tanh);
        x = conv(conv(conv(i) + i) + conv(ReLU()(i)));
        a = conv(i);
        b = ReLU()(i);
        y = conv(conv(a + i) + conv(b));
        z = i;
        for _ in 0..2 {
            z = conv(conv(z));
        }
        w = conv(i);
        w = conv(w);
        w = conv(w);
        w = conv(w);
        Model(i, [x, y, z, w])
    }

    /// A body that is a list.
    pub Listed {
        Sequential([Input(4, 4, 1), Flatten(), Dense(3, softmax)])
    }
}

/// A module with nothing in scope but names that the expansion must not meet.
mod elsewhere {
    #![allow(dead_code)]
    struct Tensor;
    struct Conv2D;
    struct Activation;
    mod spec {}
    mod layers {}
    type Result<T> = std::result::Result<T, ()>;

    cnn_runtime::model! {
        /// A small model.
        pub Tiny {
            device = Input(4, 4, 1);
            seed = Conv2D(2, 3, relu)(device);
        }
    }
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("the shape is small")
}

#[test]
fn the_graph_is_a_constant() {
    const FEATURES: Shape = FashionCnn::GRAPH.nodes[4].shape;
    assert_eq!(FEATURES, Shape::new([512]));
    assert_eq!(FashionCnn::GRAPH.count_params(), 360_458);
    let names: Vec<&str> = FashionCnn::GRAPH.nodes.iter().map(|node| node.name).collect();
    assert_eq!(names, ["input", "conv2d", "conv2d_1", "conv2d_2", "flatten", "dropout", "dense", "dropout_1", "dense_1"]);
}

#[test]
fn the_graph_holds_what_was_declared() {
    let conv = |layer: spec::Conv2D| spec::Layer::Conv2D(layer.strict(true));
    let nodes = Everything::GRAPH.nodes;
    let same = spec::Padding::Same;
    assert_eq!(nodes[1].layer, conv(spec::Conv2D::new(32, [3, 3]).padding(same).activation(spec::Activation::Relu)));
    assert_eq!((nodes[0].name, nodes[0].tensor, nodes[1].name), ("image", "X", "Stem"));
    let explicit = spec::Padding::Explicit([[1, 1], [2, 0]]);
    let grouped = spec::Conv2D::new(32, [3, 3]).padding(explicit).groups(4).use_bias(false);
    assert_eq!(nodes[3].layer, conv(grouped.kernel_initializer(spec::Initializer::HeNormal)));
    assert_eq!(nodes[8].inputs, nodes[10].inputs);
    assert_eq!(Everything::GRAPH.outputs, [9, 12]);
    assert_eq!(Ends::GRAPH.inputs, [1, 0]);
    assert_eq!(elsewhere::Tiny::GRAPH.nodes[1].shape, Shape::new([2, 2, 2]));
}

#[test]
fn a_model_runs() -> Result<()> {
    let model: Model<FashionCnn> = FashionCnn::new(&Device::Cpu, Seed(42))?;
    let images = zeros(&[2, 28, 28, 1]);
    let scores = model.forward(&images, &Context::inference())?;
    assert_eq!(scores.dims(), [2, 10]);
    assert_eq!(model.forward_t(&images, false)?.to_vec2::<f32>()?, scores.to_vec2::<f32>()?);
    let called = model.call(&[images.clone(), images], &Context::inference());
    let error = called.expect_err("there is one input").to_string();
    assert!(error.starts_with("`FashionCnn` takes 1 tensor, found 2"), "{error}");
    Ok(())
}

#[test]
fn logits_are_left_only_where_softmax_closes_the_network() -> Result<()> {
    let model = Everything::new(&Device::Cpu, Seed(42))?;
    let cx = Context::inference();
    let image = zeros(&[1, 32, 32, 3]);
    let sum = |cx: &Context| -> candle_core::Result<f32> { model.forward(&image, cx)?.1.sum_all()?.to_scalar() };
    assert!((sum(&cx)? - 1.0).abs() < 1e-6);
    assert_eq!(sum(&cx.with_logits())?, 0.0);
    Ok(())
}

#[test]
fn several_inputs_keep_their_order() -> Result<()> {
    let model = Ends::new(&Device::Cpu, Seed(42))?;
    let outputs = model.call(&[zeros(&[1, 8]), zeros(&[1, 5, 7, 3])], &Context::inference())?;
    assert_eq!(outputs.iter().map(Tensor::dims).collect::<Vec<_>>(), [[1, 2], [1, 3]]);
    Ok(())
}

#[test]
fn a_bare_body_is_a_value() -> Result<()> {
    let net = model! { i = Input(28, 28, 1); x = Flatten()(i); x = Dense(10)(x); }.build(&Device::Cpu, Seed(42))?;
    assert_eq!(net.dense.weight.dims(), [10, 784]);
    assert_eq!(net.forward(&zeros(&[3, 28, 28, 1]), &Context::inference())?.dims(), [3, 10]);
    Ok(())
}

#[test]
fn weights_come_from_candle_too() -> candle_core::Result<()> {
    let variables = VarMap::new();
    let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let tiny = elsewhere::Tiny::from_var_builder(vb)?;
    assert_eq!(tiny.forward_t(&zeros(&[1, 4, 4, 1]), true)?.dims(), [1, 2, 2, 2]);
    let mut names: Vec<String> = variables.data().lock().expect("one thread").keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["conv2d.bias", "conv2d.weight"]);
    Ok(())
}

#[test]
fn resnet_50_is_a_few_lines() {
    // Without batch normalisation, but with biases: 25,530,472 weights and biases of convolutions and of the classifier.
    let graph = ResNet50::GRAPH;
    let convolutions = graph.nodes.iter().filter(|node| matches!(node.layer, spec::Layer::Conv2D(_))).count();
    assert_eq!((convolutions, graph.count_params()), (53, 25_530_472));
    assert_eq!(graph.nodes[graph.outputs[0]].name, "dense");
    assert!(graph.nodes.iter().any(|node| node.name == "stage_3.bottleneck_2.conv2d_1"));
}

#[test]
fn branches_meet() -> Result<()> {
    let model = Branches::new(&Device::Cpu, Seed(42))?;
    let image = zeros(&[2, 8, 8, 3]);
    let (x, z) = model.forward(&image, &image, &Context::inference())?;
    assert_eq!((x.dims(), z.dims()), (&[2, 8, 8, 24][..], &[2, 16, 8, 4][..]));
    let shared = Branches::GRAPH.nodes.iter().filter(|node| node.name == "shared").count();
    assert_eq!(shared, 2);
    assert_eq!(Branches::GRAPH.parameters().iter().filter(|(name, _)| name == "shared.weight").count(), 1);
    let frozen: Vec<&str> = Branches::GRAPH.nodes.iter().filter(|node| node.frozen).map(|node| node.name).collect();
    let expected = ["dense_block.conv2d", "dense_block.concatenate", "dense_block.conv2d_1", "dense_block.concatenate_1"];
    assert_eq!(frozen, expected);
    assert_eq!(model.dense_block_conv2d_1.weight.dims(), [3, 21, 3, 3]);
    Ok(())
}

#[test]
fn frozen_layers_have_no_gradient_and_shared_ones_have_both() -> Result<()> {
    let model = Branches::new(&Device::Cpu, Seed(42))?;
    let image = Tensor::ones(&[1, 8, 8, 3], DType::F32, &Device::Cpu)?;
    let (x, z) = model.forward(&image, &(&image * 2.0)?, &Context::inference().tracked())?;
    let gradients = (x.sum_all()? + z.sum_all()?)?.backward()?;
    for (name, variable) in model.variables() {
        assert_eq!(gradients.get(variable).is_some(), !name.starts_with("dense_block"), "{name}");
    }
    Ok(())
}

#[test]
fn a_layer_may_be_applied_to_what_it_gives() -> Result<()> {
    let model = Repeated::new(&Device::Cpu, Seed(42))?;
    let image = Tensor::rand(-1f32, 1., &[2, 6, 5, 4], &Device::Cpu)?;
    let (x, y, z, w) = model.forward(&image, &Context::inference())?;
    let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
    assert_eq!(values(&x)?, values(&y)?);
    assert_eq!(values(&z)?, values(&w)?);
    assert_ne!(values(&x)?, values(&z)?);
    assert_eq!(Repeated::GRAPH.count_params(), 4 * 4 * 9 + 4);
    assert_eq!(Repeated::GRAPH.nodes.iter().filter(|node| node.name == "conv2d").count(), 16);
    Ok(())
}

#[test]
fn a_list_of_layers_is_a_model() -> Result<()> {
    let model = Listed::new(&Device::Cpu, Seed(42))?;
    assert_eq!(model.forward(&zeros(&[2, 4, 4, 1]), &Context::inference())?.dims(), [2, 3]);
    Ok(())
}

model! {
    /// The arguments that pooling, reshaping and the input side have alone.
    Prepared {
        i = Input(12, 10, 3);
        x = Rescaling(1.0 / 4.0, offset=-0.5)(i);
        x = Normalization(mean=(0.5, 0.4, -0.3), variance=0.25)(x);
        x = Normalization(name=learned)(x);
        x = Normalization(axis=None)(x);
        x = RandomFlip(horizontal_and_vertical)(x);
        x = RandomRotation(0.1, fill_mode="constant", interpolation=nearest, fill_value=0.5)(x);
        x = RandomTranslation((-0.1, 0.2), 0.1, wrap)(x);
        x = RandomErasing(0.5, scale=(0.1, 0.2), fill_value=0)(x);
        x = RandomCrop(8, 8, seed=3)(x);
        x = ZeroPadding2D(((1, 2), (0, 3)))(x);
        x = Cropping2D((1, 2))(x);
        x = UpSampling2D(2, bicubic)(x);
        x = AdaptiveAveragePooling2D((6, 4))(x);
        x = SumPooling2D(2)(x);
        x = Permute((3, 1, 2))(x);
        x = Reshape(-1, 2)(x);
        x = ZeroPadding1D((2, 1))(x);
        x = MaxPooling1D(3, stride=1)(x);
        x = GlobalAveragePooling1D()(x);
        x = RepeatVector(4)(x);
    }

    Words {
        i = Input(7);
        x = Embedding(30, 5)(i);
        x = GlobalMaxPooling1D()(x);
    }
}

model! {
    /// What each symbol takes from every other: attention, of products of vectors.
    Attention {
        i = Input(7, 5);
        queries = Conv1D(4, 1)(i);
        keys = Conv1D(4, 1)(i);
        scores = Softmax()(Dot(axes=-1, normalize)([queries, keys]));
        x = Dot((2, 1))([scores, i]);
    }
}

#[test]
fn products_of_vectors_make_attention() -> Result<()> {
    let model = Attention::new(&Device::Cpu, Seed(1))?;
    let shapes: Vec<String> = Attention::GRAPH.nodes[3..].iter().map(|node| node.shape.to_string()).collect();
    assert_eq!(shapes, ["7×7", "7×7", "7×5"]);
    let same = Tensor::arange(0f32, 5., &Device::Cpu)?.repeat((2, 7, 1))?;
    let output = model.forward(&same, &Context::inference())?;
    let difference = (output - same)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(difference < 1e-5, "a mean of equal symbols is that symbol, within {difference}");
    Ok(())
}

#[test]
fn data_is_prepared_in_the_model() -> Result<()> {
    let model = Prepared::new(&Device::Cpu, Seed(1))?;
    let shapes: Vec<String> = Prepared::GRAPH.nodes[9..].iter().map(|node| node.shape.to_string()).collect();
    let expected = ["8×8×3", "11×11×3", "9×7×3", "18×14×3", "6×4×3", "3×2×3", "3×3×2", "9×2", "12×2", "10×2", "2", "4×2"];
    assert_eq!(shapes, expected);
    let images = Tensor::rand(0f32, 1., (5, 12, 10, 3), &Device::Cpu)?;
    model.learned.adapt(&images)?;
    let mean = model.variables().iter().find(|(name, _)| name == "learned.mean").expect("a statistic of the model");
    assert!(mean.1.to_vec1::<f32>()?.iter().all(|x| (0.3..0.7).contains(x)));
    for cx in [Context::inference(), Context::training(Seed(2), 3)] {
        assert_eq!(model.forward(&images, &cx)?.dims(), [5, 4, 2]);
    }
    let words = Words::new(&Device::Cpu, Seed(1))?;
    let symbols = Tensor::new(&[[0u32, 1, 2, 29, 4, 5, 6]], &Device::Cpu)?;
    assert_eq!(words.forward(&symbols, &Context::inference())?.dims(), [1, 5]);
    Ok(())
}

const CLASSES: usize = 10;

model! {
    block conv(filters)(x) {
        x = Conv2D(4 * filters, 3, same)(x);
        BatchNormalization()(x)
    }

    Constants {
        i = Input(28, 28, 1);
        x = conv(CLASSES / 2)(i);
        x = conv(2)(x);
        x = Flatten()(x);
        x = Dense(2 * CLASSES, relu)(x);
        x = Dense(CLASSES, softmax)(x);
    }

    Classifier<const H: usize, const K: usize> {
        i = Input(H, H, 3);
        conv = Conv2D(3, 3, same);
        x = conv(i);
        x = conv(x);
        x = GlobalAveragePooling2D()(x);
        x = Dense(K, softmax)(x);
    }
}

#[test]
fn sizes_may_be_constants_and_parameters() -> Result<()> {
    let shapes = |graph: spec::Graph| graph.nodes.iter().map(|node| node.shape.to_string()).collect::<Vec<_>>();
    assert_eq!(shapes(Constants::GRAPH)[1..], ["28×28×20", "28×28×20", "28×28×8", "28×28×8", "6272", "20", "10"]);
    assert_eq!(shapes(Classifier::<8, 5>::GRAPH), ["8×8×3", "8×8×3", "8×8×3", "3", "5"]);
    assert_eq!(Classifier::<8, 5>::GRAPH.count_params(), 84 + 20);
    let model = Classifier::<12, 7>::new(&Device::Cpu, Seed(1))?;
    let xs = Tensor::ones((2, 12, 12, 3), DType::F32, &Device::Cpu)?;
    assert_eq!(model.forward(&xs, &Context::inference())?.dims(), [2, 7]);
    Ok(())
}

model! {
    /// What finds features.
    pub Backbone {
        i = Input(_, _, 3);
        x = Conv2D(8, 3, relu)(i);
        x = BatchNormalization()(x);
        x = Dropout(0.5)(x);
        x = GlobalAveragePooling2D()(x);
        x = Dense(6, softmax)(x);
    }

    /// The same network twice, one of them kept as it is.
    pub Twins {
        a = Input(12, 9, 3);
        b = Input(7, 7, 3);
        f = Backbone(frozen)(a);
        g = Backbone(name=other)(b);
        x = Dense(4)(f + g);
        y = Backbone()(a);
        Model([a, b], [x, y])
    }
}

#[test]
fn a_model_is_a_layer_of_another() -> Result<()> {
    let shapes: Vec<String> = Twins::GRAPH.nodes.iter().map(|node| node.shape.to_string()).collect();
    assert_eq!(shapes, ["12×9×3", "7×7×3", "6", "6", "6", "4", "6"]);
    let names: Vec<String> = Twins::GRAPH.parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[0], "backbone.conv2d.weight");
    assert_eq!(names.iter().filter(|name| name.starts_with("other.batch_normalization.")).count(), 4);
    assert!(names.contains(&"backbone_1.dense.bias".to_string()) && names.contains(&"dense.weight".to_string()));
    let alone = Backbone::GRAPH.count_params();
    assert_eq!(Twins::GRAPH.count_params(), 3 * alone + 28);
    assert_eq!(Twins::GRAPH.count_trained(), 2 * alone + 28);

    let model = Twins::new(&Device::Cpu, Seed(5))?;
    let made: Vec<&String> = model.variables().iter().map(|(name, _)| name).collect();
    assert_eq!(made, names.iter().collect::<Vec<_>>());
    let a = Tensor::rand(0f32, 1., (2, 12, 9, 3), &Device::Cpu)?;
    let b = Tensor::rand(0f32, 1., (2, 7, 7, 3), &Device::Cpu)?;
    let cx = Context::inference().with_logits();
    let (x, y) = model.forward(&a, &b, &cx)?;
    assert_eq!((x.dims(), y.dims()), (&[2, 4][..], &[2, 6][..]));
    // Only what is last leaves its softmax to the loss.
    let inner = (model.backbone.forward(&a, &Context::inference())? + model.other.forward(&b, &Context::inference())?)?;
    let outer = model.dense.forward(&inner, &Context::inference())?;
    assert!((x - outer)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-6);
    assert!((y.sum(1)? - 1.)?.abs()?.min_all()?.to_scalar::<f32>()? > 1e-3);
    Ok(())
}

/// A model with parameters is a layer by a name that has their values.
type SmallClassifier = Classifier<8, 5>;

model! {
    pub Voters {
        i = Input(8, 8, 3);
        x = SmallClassifier()(i) + SmallClassifier()(i);
    }
}

#[test]
fn a_model_with_parameters_is_a_layer_of_another() -> Result<()> {
    let model = Voters::new(&Device::Cpu, Seed(1))?;
    assert_eq!(Voters::GRAPH.count_params(), 2 * SmallClassifier::GRAPH.count_params());
    let xs = Tensor::ones((2, 8, 8, 3), DType::F32, &Device::Cpu)?;
    assert_eq!(model.forward(&xs, &Context::inference())?.dims(), [2, 5]);
    Ok(())
}

#[test]
fn a_network_inside_takes_the_weights_of_its_own_file() -> Result<()> {
    let directory = tempfile::tempdir().expect("a place for the file");
    let path = directory.path().join("backbone.safetensors");
    let alone = Backbone::new(&Device::Cpu, Seed(1))?;
    alone.save(&path)?;
    let mut twins = Twins::new(&Device::Cpu, Seed(2))?;
    let values = |tensor: &Tensor| tensor.flatten_all().and_then(|tensor| tensor.to_vec1::<f32>());
    let before = values(&twins.other.conv2d.weight)?;
    twins.load_layer("backbone", &path)?;
    assert_eq!(values(&twins.backbone.conv2d.weight)?, values(&alone.conv2d.weight)?);
    assert_eq!(values(&twins.other.conv2d.weight)?, before);
    let error = twins.load_layer("backbones", &path).unwrap_err().to_string();
    assert!(
        error.starts_with("`Twins` has no layer `backbones` with weights\n  help: those with weights are `backbone`, `"),
        "{error}"
    );
    assert!(twins.load_layer("dense", &path).unwrap_err().to_string().contains("conv2d.weight"));
    Ok(())
}

#[test]
fn shapes_may_be_stated() {
    model! {
        Stated<const SIDE: usize> {
            i = Input(SIDE, 28, 1);
            x: [_, 13, 32] = Conv2D(32, 3, stride=2)(i);
            x: [CLASSES + 3, 13, 32] = Activation(relu)(x);
            x: [5408] = Flatten()(x);
            j: [28, 28, 1] = Input(28, 28, 1);
            y: [CLASSES - 8] = Dense(2)(Flatten()(j));
            Model([i, j], [x, y])
        }
    }
    let shapes: Vec<String> = Stated::<28>::GRAPH.nodes.iter().map(|node| node.shape.to_string()).collect();
    assert_eq!(shapes, ["28×28×1", "13×13×32", "13×13×32", "5408", "28×28×1", "784", "2"]);
}

#[test]
fn open_sizes_have_a_least() -> Result<()> {
    model! {
        Open {
            i = Input(_, _, 3);
            x = Conv2D(4, (5, 3))(i);
            x = MaxPooling2D(2)(x);
            x = Conv2D(2, 3)(x);
            x = GlobalMaxPooling2D()(x);
        }
    }
    let open = Open::new(&Device::Cpu, Seed(1))?;
    let run = |height, width| {
        let xs = Tensor::zeros((1, height, width, 3), DType::F32, &Device::Cpu)?;
        open.forward(&xs, &Context::inference())
    };
    for (height, width) in [(10, 8), (11, 9), (40, 8)] {
        assert_eq!(run(height, width)?.dims(), [1, 2]);
    }
    // Those of a model with constants, and past a layer of one's own, are known before it is built.
    const K: usize = 5;
    model! {
        Mixed {
            i = Input(_, _, 3);
            x = Conv2D(8, K, stride=2)(i);
            x = Custom(SqueezeExcite { ratio: 2 })(x);
            x = Conv2D(8, (3, 2))(x);
            x = GlobalAveragePooling2D()(x);
        }
    }
    assert_eq!(Mixed::GRAPH.smallest_input(), Some(vec![spec::Shape::new([9, 7, 3])]));
    let error = Mixed::new(&Device::Cpu, Seed(1))?
        .forward(&Tensor::zeros((1, 9, 6, 3), DType::F32, &Device::Cpu)?, &Context::inference())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("`input` takes a batch of at least N×9×7×3, found 1×9×6×3"), "{error}");
    let error = run(10, 7).unwrap_err().to_string();
    assert!(error.starts_with("`input` takes a batch of at least N×10×8×3, found 1×10×7×3"), "{error}");
    Ok(())
}

/// Squeeze-and-excitation (Hu et al., 2018): every channel of an image times what all of them say of it.
#[derive(Clone, Copy)]
struct SqueezeExcite {
    ratio: usize,
}

impl SqueezeExcite {
    const fn by(ratio: usize) -> Self {
        Self { ratio }
    }

    // An error is a value of a constant, which has no boxes.
    #[allow(clippy::result_large_err)]
    const fn infer(&self, inputs: &[Operand]) -> std::result::Result<Inferred, ShapeError> {
        let image = match rules::image("SqueezeExcite", inputs) {
            Ok(image) => image,
            Err(error) => return Err(error),
        };
        let channels = match rules::channels("SqueezeExcite", image) {
            Ok(channels) => channels,
            Err(error) => return Err(error),
        };
        let hidden = channels / self.ratio;
        let squeeze = Parameter::new("squeeze", [channels, hidden], Initializer::GlorotUniform).fans(channels, hidden);
        let excite = Parameter::new("excite", [hidden, channels], Initializer::GlorotUniform).fans(hidden, channels);
        Ok(Inferred::shape(image.shape).parameters(Parameters::NONE.with(squeeze).with(excite)).reach(Reach::Whole))
    }
}

impl CustomLayer for SqueezeExcite {
    fn forward(&self, tensors: &[Tensor], xs: &[&Tensor], _cx: &Context) -> candle_core::Result<Tensor> {
        let hidden = xs[0].mean((1, 2))?.matmul(&tensors[0])?.relu()?;
        let gate = candle_nn::ops::sigmoid(&hidden.matmul(&tensors[1])?)?;
        xs[0].broadcast_mul(&gate.unsqueeze(1)?.unsqueeze(1)?)
    }
}

/// `a` times a number that is learned, plus `b`.
struct Blend {
    start: f64,
    gives: usize,
}

impl Blend {
    // An error is a value of a constant, which has no boxes.
    #[allow(clippy::result_large_err)]
    const fn infer(&self, inputs: &[Operand]) -> std::result::Result<Inferred, ShapeError> {
        let weight = Parameter::new("weight", [], Initializer::Constant(self.start));
        let parameters = Parameters::NONE.with(weight);
        match inputs {
            [a, _] if self.gives == 0 => Ok(Inferred::shape(a.shape).parameters(parameters)),
            [_, _] => Ok(Inferred::shape(spec::Shape::new([self.gives])).parameters(parameters)),
            _ => Err(ShapeError::new(At::Inputs, Text::from("`Blend` takes two tensors"))),
        }
    }
}

impl CustomLayer for Blend {
    fn forward(&self, tensors: &[Tensor], xs: &[&Tensor], _cx: &Context) -> candle_core::Result<Tensor> {
        xs[0].broadcast_mul(&tensors[0])? + xs[1]
    }
}

const HALVED: SqueezeExcite = SqueezeExcite { ratio: 2 };

model! {
    block gated(ratio)(x) {
        x = Conv2D(8, 3, same, relu)(x);
        Custom(SqueezeExcite { ratio })(x)
    }

    /// The ways to give a layer of one's own.
    Gated {
        i = Input(6, 5, 1);
        x = gated(4)(i);
        y = Custom(SqueezeExcite::by(2), name=gate)(x);
        y = Custom(HALVED, frozen)(y);
        x = Custom(Blend { start: 0.5, gives: 0 })(x, y);
        x = Flatten()(x);
        x = Dense(2, softmax)(x);
    }

    Open<const C: usize> {
        i = Input(_, _, C);
        gate = Custom(SqueezeExcite { ratio: C / 2 });
        x = gate(i);
        x = gate(x);
    }

    Untrue {
        a = Input(4);
        b = Input(4);
        x = Custom(Blend { start: 1.0, gives: 5 })([a, b]);
    }
}

#[test]
fn a_layer_may_be_the_users_own() -> Result<()> {
    let names: Vec<String> = Gated::GRAPH.parameters().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[2..5], ["gated.squeeze_excite.squeeze", "gated.squeeze_excite.excite", "gate.squeeze"]);
    assert_eq!(names[6..9], ["halved.squeeze", "halved.excite", "blend.weight"]);
    assert_eq!(Gated::GRAPH.count_params() - Gated::GRAPH.count_trained(), 64);
    assert_eq!(Gated::GRAPH.nodes[2].layer.name(), "SqueezeExcite");
    assert_eq!(Open::<6>::GRAPH.count_params(), 24);

    let mut model = Gated::new(&Device::Cpu, Seed(3))?;
    assert!(model.summary().to_string().contains("halved (HALVED)"));
    let values = |tensor: &Tensor| tensor.flatten_all().and_then(|tensor| tensor.to_vec1::<f32>());
    let before = [values(&model.gate.tensors[0])?, values(&model.halved.tensors[0])?, values(&model.blend.tensors[0])?];
    assert_eq!(before[2], [0.5]);
    // Bright images are of the second class.
    let labels: Vec<u32> = (0..32).map(|index| index % 2).collect();
    let pixels: Vec<u8> = labels.iter().flat_map(|label| vec![if *label == 1 { 200 } else { 20 }; 30]).collect();
    let data = Dataset::new(pixels, [6, 5, 1], labels)?;
    model.compile(Adam::new(0.02), SparseCategoricalCrossentropy::default(), [Accuracy]);
    model.fit(&data, Fit::epochs(12).batch_size(8).verbose(Verbose::Silent))?;
    let loss = model.evaluate(&data)?.loss();
    assert!(loss < 0.2, "{loss}");
    let after = [values(&model.gate.tensors[0])?, values(&model.halved.tensors[0])?, values(&model.blend.tensors[0])?];
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1], before[1]);
    assert_ne!(after[2], before[2]);

    let directory = tempfile::tempdir().expect("a place for the file");
    let path = directory.path().join("gated.safetensors");
    model.save(&path)?;
    let mut again = Gated::new(&Device::Cpu, Seed(4))?;
    again.load(&path)?;
    assert_eq!(values(&again.gate.tensors[0])?, after[0]);
    Ok(())
}

#[test]
fn a_rule_that_does_not_hold_is_an_error_of_its_layer() -> Result<()> {
    let model = Untrue::new(&Device::Cpu, Seed(1))?;
    let xs = zeros(&[3, 4]);
    let error = model.forward(&xs, &xs, &Context::inference()).unwrap_err().to_string();
    assert!(error.starts_with("`Blend` gave 3×4, and its rule says 3×5"), "{error}");
    Ok(())
}
