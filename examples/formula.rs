//! The usual formula for a convolutional network, `[(CONV-RELU)*N - POOL?]*M - (FC-RELU)*K, SOFTMAX`, written with
//! loops, and a moment of training to show that it is a network.
//!
//! `cargo run --release --example formula` trains on the small subset of Fashion-MNIST carried with the sources.

use cnn_runtime::prelude::*;
use std::path::Path;

model! {
    /// `[(CONV-RELU)*n - POOL?]`: `n` convolutions, and then the image halved, or not.
    block convolutions(filters, n, pool = true)(x) {
        for _ in 0..n {
            x = Conv2D(filters, 3, same, relu)(x);
        }
        if pool {
            x = MaxPooling2D(2)(x);
        }
        x
    }

    /// The formula with N = 2, M = 3, the last of which does not pool, and K = 1.
    pub Formula {
        x = Input(28, 28, 1);
        for (filters, pool) in [(8, true), (16, true), (32, false)] {
            x = convolutions(filters, 2, pool)(x);
        }
        x = Flatten()(x);
        for units in [64] {
            x = Dense(units, relu)(x);
        }
        x = Dense(10, softmax)(x);
    }
}

fn main() -> Result<()> {
    let device = Device::cuda_if_available(0)?;
    let subset = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/fashion-mnist"));
    let (train, test) = data::fashion_mnist(subset)?;

    let mut model = Formula::new(&device, Seed(42))?;
    println!("{}\n", model.summary());
    model
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
        .fit(&train, Fit::epochs(2).batch_size(32).validation(&test))?;
    println!("\ntest {}", model.evaluate(&test)?);
    Ok(())
}
