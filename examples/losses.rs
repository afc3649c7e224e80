//! The losses of a network's first steps, one a line, to compare what is computed on one device with what is on another.
//!
//! `cargo run --release --example losses -- --steps 50` trains the lecture's network, with dropout, from one seed on images drawn
//! from it: step by step, and then one epoch of `fit`, whose mean loss is the last line. `--network dense` has no convolutions.

use clap::{Parser, ValueEnum};
use cnn_runtime::prelude::*;
use rand::RngExt;

model! {
    /// Fashion-MNIST's.
    pub Lecture {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, stride=2, relu)(i);
        x = Conv2D(64, 3, stride=2, relu)(x);
        x = Conv2D(128, 3, stride=2, relu)(x);
        x = Flatten()(x);
        x = Dropout(0.3)(x);
        x = Dense(512, relu)(x);
        x = Dense(10, softmax)(x);
    }

    /// Without convolutions, and with a penalty and noise.
    pub Plain {
        i = Input(28, 28, 1);
        x = Flatten()(RandomTranslation(0.1, 0.1)(i));
        x = GaussianNoise(0.1)(x);
        x = Dense(64, relu, kernel_regularizer=L2(0.001))(x);
        x = Dropout(0.3)(x);
        x = Dense(10, softmax)(x);
    }
}

/// Print the losses of a network's first steps
#[derive(Parser)]
struct Arguments {
    /// What is trained
    #[arg(long, value_enum, default_value_t = Which::Lecture)]
    network: Which,

    /// Where
    #[arg(long, value_enum, default_value_t = Processor::Cpu)]
    device: Processor,

    /// Steps, and then as many in one epoch
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,

    /// Images in a batch
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    Lecture,
    Dense,
}

#[derive(Clone, Copy, ValueEnum)]
enum Processor {
    Cpu,
    Cuda,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let device = match arguments.device {
        Processor::Cpu => Device::Cpu,
        Processor::Cuda => Device::new_cuda(0)?,
    };
    match arguments.network {
        Which::Lecture => train(Lecture::new(&device, Seed(42))?, &arguments),
        Which::Dense => train(Plain::new(&device, Seed(42))?, &arguments),
    }
}

fn train<N: Network>(mut model: Model<N>, arguments: &Arguments) -> Result<()> {
    let (steps, batch) = (arguments.steps as usize, arguments.batch as usize);
    let data = images(steps * batch)?;
    model.set_precision(Precision::F32);
    model.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy]);
    for step in 0..steps {
        let indices: Vec<usize> = (step * batch..(step + 1) * batch).collect();
        let (images, labels) = data.batch(&indices, model.device())?;
        println!("{:.7}", model.train_on_batch(&images, &labels)?.loss());
    }
    let history = model.fit(&data, Fit::epochs(1).batch_size(batch).verbose(Verbose::Silent))?;
    println!("{:.7}", history["loss"][0]);
    Ok(())
}

/// Noisy images of ten classes, each with a bright stripe elsewhere.
fn images(count: usize) -> Result<Dataset> {
    let mut random = Seed(1).stream("images", 0);
    let labels: Vec<u32> = (0..count as u32).map(|index| index * 7 % 10).collect();
    let mut pixels = Vec::with_capacity(count * 784);
    for label in &labels {
        for at in 0..784 {
            let is_bright = at / 28 / 3 == *label;
            pixels.push(random.random_range(0..128) + if is_bright { 100 } else { 0 });
        }
    }
    Dataset::new(pixels, [28, 28, 1], labels)
}
