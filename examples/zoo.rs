//! Every network of the zoo at its published input size: its cost, one prediction and one training step.
//!
//! `cargo run --release --example zoo [NAME…]`

use cnn_runtime::prelude::*;
use cnn_runtime::zoo;
use std::time::Instant;

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    println!("{:14} {:>12} {:>16} {:>10} {:>10}", "network", "parameters", "multiply-adds", "predict", "train");
    macro_rules! run {
        ($($network:ident)*) => { $(
            if wanted.is_empty() || wanted.iter().any(|name| name == stringify!($network)) {
                run::<zoo::$network>()?;
            }
        )* };
    }
    run! {
        LeNet5 AlexNet Vgg11 Vgg16 Vgg19 ResNet18 ResNet34 ResNet50 CifarResNet20 CifarResNet32 CifarResNet56 GoogLeNet
        InceptionV3 MobileNet MobileNetV2 SqueezeNet DenseNet121 Xception UNet
    }
    Ok(())
}

/// Builds a network, predicts for one image and trains on two.
fn run<N: Network>() -> Result<()> {
    let graph = N::GRAPH;
    let sizes = |node: usize| graph.nodes[node].shape.dims().iter().filter_map(|dim| dim.known()).collect::<Vec<_>>();
    let (image, output) = (sizes(graph.inputs[0]), sizes(graph.outputs[0]));
    let batch = |count: usize| Tensor::rand(0f32, 1f32, [&[count], image.as_slice()].concat(), &Device::Cpu);
    // One for each image, or for each pixel of a network that segments.
    let labels = Tensor::zeros([&[2], &output[..output.len() - 1]].concat(), DType::U32, &Device::Cpu)?;
    let mut model = Model::<N>::new(&Device::Cpu, Seed(42))?;
    model.compile(SGD::new(1e-3), SparseCategoricalCrossentropy::default(), [Accuracy]);

    let start = Instant::now();
    model.predict(&batch(1)?)?;
    let predicted = start.elapsed();
    let start = Instant::now();
    model.train_on_batch(&batch(2)?, &labels)?;
    let trained = start.elapsed();

    let macs = graph.macs().unwrap_or_default();
    println!("{:14} {:>12} {macs:>16} {predicted:>10.1?} {trained:>10.1?}", graph.name, graph.count_params());
    Ok(())
}
