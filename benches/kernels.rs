//! How long each kernel takes, forward and backward, at sizes of the networks of `examples/throughput.rs`.
//!
//! Each is a network of one layer for 64 images. Backward passes are candle's walk over the graph, which adds every gradient
//! to zeros: a cost of its own that the training loop does not have, the same from run to run.

use cnn_runtime::candle_core::Var;
use cnn_runtime::prelude::*;
use divan::Bencher;
use divan::counter::ItemsCount;

const BATCH: usize = 64;
const CX: Context = Context::training(Seed(42), 1);

fn main() {
    divan::main();
}

model! {
    LectureConv1 { i = Input(28, 28, 1); x = Conv2D(32, 3, stride=2, relu)(i); }
    LectureConv2 { i = Input(13, 13, 32); x = Conv2D(64, 3, stride=2, relu)(i); }
    LectureDense { i = Input(512); x = Dense(512, relu)(i); }
    LectureDropout { i = Input(512); x = Dropout(0.2)(i); }

    VggConv1 { i = Input(32, 32, 3); x = Conv2D(32, 3, same, relu)(i); }
    VggConv2 { i = Input(32, 32, 32); x = Conv2D(32, 3, same, relu)(i); }
    VggConv6 { i = Input(8, 8, 128); x = Conv2D(128, 3, same, relu)(i); }
    VggMaxPooling { i = Input(32, 32, 32); x = MaxPooling2D(2)(i); }
    VggDense { i = Input(2048); x = Dense(256, relu)(i); }

    ResNetConv { i = Input(32, 32, 16); x = Conv2D(16, 3, same, use_bias=false)(i); }
    ResNetProjection { i = Input(32, 32, 16); x = Conv2D(32, 1, stride=2, same, use_bias=false)(i); }
    ResNetBatchNormalization { i = Input(32, 32, 16); x = BatchNormalization()(i); }
    ResNetReLU { i = Input(32, 32, 16); x = ReLU()(i); }
    ResNetAdd { a = Input(32, 32, 16); b = Input(32, 32, 16); x = Add()([a, b]); }
    ResNetGlobalAveragePooling { i = Input(8, 8, 64); x = GlobalAveragePooling2D()(i); }

    Depthwise { i = Input(32, 32, 32); x = DepthwiseConv2D(3, same)(i); }
    Grouped { i = Input(32, 32, 64); x = Conv2D(64, 3, same, groups=16)(i); }
    Volumes { i = Input(8, 16, 16, 16); x = Conv3D(32, 3, same)(i); }
    Transposed { i = Input(16, 16, 64); x = Conv2DTranspose(32, 2, stride=2)(i); }
    AveragePooling { i = Input(32, 32, 32); x = AveragePooling2D(2)(i); }
    UpSampling { i = Input(16, 16, 32); x = UpSampling2D(2)(i); }
    Padding { i = Input(32, 32, 32); x = ZeroPadding2D(1)(i); }
    Product { a = Input(32, 32, 16); b = Input(32, 32, 16); x = Multiply()([a, b]); }
    Concatenation { a = Input(32, 32, 16); b = Input(32, 32, 16); x = Concatenate()([a, b]); }
    Gelu { i = Input(32, 32, 16); x = Activation(gelu)(i); }
    Tanh { i = Input(32, 32, 16); x = Activation(tanh)(i); }
    ChannelSoftmax { i = Input(32, 32, 16); x = Softmax()(i); }
    ChannelNormalization { i = Input(32, 32, 32); x = LayerNormalization()(i); }
}

/// One benchmark for each of the networks above.
macro_rules! of_each_layer {
    ($name:ident) => {
        #[divan::bench(types = [
            LectureConv1, LectureConv2, LectureDense, LectureDropout, VggConv1, VggConv2, VggConv6, VggMaxPooling, VggDense,
            ResNetConv, ResNetProjection, ResNetBatchNormalization, ResNetReLU, ResNetAdd, ResNetGlobalAveragePooling,
            Depthwise, Grouped, Volumes, Transposed, AveragePooling, UpSampling, Padding, Product, Concatenation, Gelu, Tanh,
            ChannelSoftmax, ChannelNormalization,
        ])]
        fn $name<N: Network>(bencher: Bencher) {
            layers::$name::<N>(bencher.counter(ItemsCount::new(BATCH)));
        }
    };
}

of_each_layer!(forward);
of_each_layer!(backward);

/// As a predictor computes layers, with products in `bf16` where the processor has them.
#[divan::bench(types = [LectureConv2, LectureDense, VggConv6, VggDense, ResNetConv, ResNetProjection])]
fn predict_in_bf16<N: Network>(bencher: Bencher) {
    let (mut layer, inputs) = layers::batch::<N>();
    let predictor = layer.set_precision(Precision::Bf16).predictor().unwrap();
    let images = inputs[0].detach();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| predictor.predict(&images).unwrap());
}

mod layers {
    use super::*;

    pub fn forward<N: Network>(bencher: Bencher) {
        let (layer, inputs) = batch::<N>();
        let inputs: Vec<Tensor> = inputs.iter().map(Tensor::detach).collect();
        bencher.bench_local(|| layer.call(&inputs, &CX).unwrap());
    }

    pub fn backward<N: Network>(bencher: Bencher) {
        let (layer, inputs) = batch::<N>();
        let output = || layer.call(&inputs, &CX).unwrap().remove(0);
        bencher.with_inputs(output).bench_local_refs(|output| output.backward().unwrap());
    }

    /// A network, and a batch of each of its inputs by which there are gradients.
    pub fn batch<N: Network>() -> (Model<N>, Vec<Tensor>) {
        let shape = |input: &usize| {
            let sizes = N::GRAPH.nodes[*input].shape.dims();
            let sizes = sizes.iter().map(|size| size.known().expect("every size is written above"));
            [BATCH].into_iter().chain(sizes).collect::<Vec<usize>>()
        };
        let inputs = N::GRAPH.inputs.iter().map(|input| variable(shape(input))).collect();
        (Model::new(&Device::Cpu, Seed(42)).unwrap(), inputs)
    }
}

#[divan::bench]
fn cross_entropy_forward_and_backward(bencher: Bencher) {
    let logits = variable(vec![BATCH, 10]);
    let labels = Tensor::from_iter((0..BATCH as u32).map(|index| index % 10), &Device::Cpu).unwrap();
    let loss = SparseCategoricalCrossentropy { from_logits: true };
    bencher.bench_local(|| loss.compute(&logits, &labels).unwrap().backward().unwrap());
}

/// The weights of the largest layer, `VggDense`.
#[divan::bench(args = ["Adam", "SGD"])]
fn update(bencher: Bencher, name: &str) {
    let optimizer: Box<dyn Optimizer> = if name == "Adam" { Box::new(Adam::default()) } else { Box::new(SGD::default()) };
    let weights = Var::randn(0f32, 0.02, (256, 2048), &Device::Cpu).unwrap();
    let gradient = Tensor::randn(0f32, 0.02, (256, 2048), &Device::Cpu).unwrap();
    let slots = Tensor::zeros((optimizer.slots().len(), 256, 2048), DType::F32, &Device::Cpu).unwrap();
    bencher.bench_local(|| optimizer.update(1, &weights, &gradient, &slots).unwrap());
}

fn variable(shape: Vec<usize>) -> Tensor {
    Var::randn(0f32, 1., shape, &Device::Cpu).unwrap().as_tensor().clone()
}
