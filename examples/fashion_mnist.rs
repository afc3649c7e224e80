//! Trains a small classifier on Fashion-MNIST, saves it, and asks the saved model what it sees.
//!
//! `cargo run --release --example fashion_mnist` trains on the small subset carried with the sources;
//! `-- --data DIRECTORY` trains on the full data set.

use clap::Parser;
use cnn_runtime::prelude::*;
use std::path::{Path, PathBuf};

model! {
    /// A small classifier for Fashion-MNIST.
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
}

/// Train a convolutional network on Fashion-MNIST
#[derive(Parser)]
struct Arguments {
    /// Directory of the full data set's four files [default: the carried subset]
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,

    /// Passes over the training images [default: 15, or 10 with --data]
    #[arg(long)]
    epochs: Option<usize>,

    /// Images in a batch [default: 32, or 128 with --data]
    #[arg(long)]
    batch_size: Option<usize>,

    /// Seed of every random number
    #[arg(long, default_value_t = 42)]
    seed: u64,

    /// Multiply in bf16 where the processor does so faster
    #[arg(long)]
    bf16: bool,

    /// Directory for the checkpoint and the pictures, made if need be
    #[arg(long, value_name = "DIRECTORY", default_value = ".", value_parser = directory)]
    out: PathBuf,
}

/// Makes a directory before hours of training rely on it.
fn directory(path: &str) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(path)?;
    Ok(path.into())
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (epochs, batch_size) = if arguments.data.is_some() { (10, 128) } else { (15, 32) };
    let epochs = arguments.epochs.unwrap_or(epochs);
    let batch_size = arguments.batch_size.unwrap_or(batch_size);
    let checkpoint = arguments.out.join("fashion.safetensors");
    let curve = arguments.out.join("fashion.svg");
    let diagram = arguments.out.join("network.svg");

    let device = Device::cuda_if_available(0)?;
    let (train, test) = data::fashion_mnist(arguments.data.unwrap_or_else(carried_subset))?;

    let mut model = FashionCnn::new(&device, Seed(arguments.seed))?;
    println!("{}\n", model.summary());

    let precision = if arguments.bf16 { Precision::Bf16 } else { Precision::default() };
    let history = model
        .set_precision(precision)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
        .fit(&train, Fit::epochs(epochs).batch_size(batch_size).validation(&test))?;

    println!("\ntest {}", model.evaluate(&test)?);
    model.save(&checkpoint)?;
    history.plot(&curve)?;
    model.diagram(&diagram)?;
    println!("saved {}, {} and {}", checkpoint.display(), curve.display(), diagram.display());

    let mut reloaded = FashionCnn::new(&device, Seed(0))?;
    reloaded.load(&checkpoint)?;
    show_predictions(&reloaded, &test.take(4))
}

/// The subset beside this file, also when the program is not started from the root of the sources.
fn carried_subset() -> PathBuf {
    let near = Path::new("examples/data/fashion-mnist");
    let in_sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/fashion-mnist"));
    if near.is_dir() { near.into() } else { in_sources.into() }
}

/// Prints each image in characters, what the model takes it for, and what it is.
fn show_predictions(model: &Model<FashionCnn>, images: &Dataset<data::FashionMNIST>) -> Result<()> {
    let probabilities = model.predict(images)?.to_vec2::<f32>()?;
    let classes = model.predict_classes(images)?;
    for (index, class) in classes.into_iter().map(|class| class as usize).enumerate() {
        let (image, _) = images.batch(&[index], &Device::Cpu)?;
        let truth = &images.class_names()[images.labels()[index] as usize];
        println!("\n{}", picture(&image.squeeze(0)?.squeeze(2)?.to_vec2()?));
        println!("{} ({:.1} %), truth: {truth}", images.class_names()[class], 100. * probabilities[index][class]);
    }
    Ok(())
}

/// A grey image of values from 0 to 1 in characters, which are twice as high as wide: one for every two rows.
fn picture(rows: &[Vec<f32>]) -> String {
    const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
    let shade = |value: f32| SHADES[(value * SHADES.len() as f32).min(4.) as usize];
    let line = |rows: &[Vec<f32>]| {
        let mean = |column: usize| rows.iter().map(|row| row[column]).sum::<f32>() / rows.len() as f32;
        (0..rows[0].len()).map(|column| shade(mean(column))).collect::<String>()
    };
    rows.chunks(2).map(line).collect::<Vec<_>>().join("\n")
}
