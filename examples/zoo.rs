//! Every network of the zoo at its published input size: its cost, one prediction and one training step; of those that are
//! named, the layers as well.
//!
//! `cargo run --release --example zoo` for the table of all, and `-- LeNet5 ResNet18` for the summaries of these.

use clap::Parser;
use clap::builder::PossibleValuesParser;
use cnn_runtime::prelude::*;
use cnn_runtime::zoo;
use std::time::Instant;

/// Names the networks, and runs those that are wanted.
macro_rules! networks {
    ($($network:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($network)),*];

        fn run_wanted(arguments: &Arguments) -> Result<()> {
            $(
                if arguments.want(stringify!($network)) {
                    run::<zoo::$network>(arguments)?;
                }
            )*
            Ok(())
        }
    };
}

networks! {
    LeNet5 AlexNet Vgg11 Vgg16 Vgg19 ResNet18 ResNet34 ResNet50 CifarResNet20 CifarResNet32 CifarResNet56 GoogLeNet
    InceptionV3 MobileNet MobileNetV2 SqueezeNet DenseNet121 Xception UNet
}

/// Show classic networks
#[derive(Parser)]
struct Arguments {
    /// Networks to summarise and run [default: run all]
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(NAMES), ignore_case = true)]
    names: Vec<String>,

    /// Seed of the weights
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

impl Arguments {
    fn want(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.names.is_empty() {
        print_header();
    }
    run_wanted(&arguments)
}

fn print_header() {
    println!("{:14} {:>12} {:>16} {:>10} {:>10}", "network", "parameters", "multiply-adds", "predict", "train");
}

/// Builds a network, predicts for one image and trains on two; shows its layers if it was named.
fn run<N: Network>(arguments: &Arguments) -> Result<()> {
    let mut model = Model::<N>::new(&Device::Cpu, Seed(arguments.seed))?;
    if !arguments.names.is_empty() {
        println!("{}\n", model.summary());
        print_header();
    }
    let graph = N::GRAPH;
    let sizes = |node: usize| graph.nodes[node].shape.dims().iter().filter_map(|dim| dim.known()).collect::<Vec<_>>();
    let (image, output) = (sizes(graph.inputs[0]), sizes(graph.outputs[0]));
    let batch = |count: usize| Tensor::rand(0f32, 1f32, [&[count], image.as_slice()].concat(), &Device::Cpu);
    // One for each image, or for each pixel of a network that segments.
    let labels = Tensor::zeros([&[2], &output[..output.len() - 1]].concat(), DType::U32, &Device::Cpu)?;
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
