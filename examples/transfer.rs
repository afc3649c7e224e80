//! Transfer learning: features learned on five kinds of clothes tell five other kinds apart, from twenty examples of each.
//!
//! `cargo run --release --example transfer`

use cnn_runtime::prelude::*;
use std::path::Path;

/// T-shirts, trousers, coats, sandals and sneakers.
const SEEN: [u32; 5] = [0, 1, 4, 5, 7];

/// Pullovers, dresses, shirts, bags and boots.
const OTHERS: [u32; 5] = [2, 3, 6, 8, 9];

model! {
    /// Finds features in a picture.
    pub Features {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, stride=2, relu)(i);
        x = Conv2D(64, 3, stride=2, relu)(x);
        x = Flatten()(x);
        x = Dense(24, relu)(x);
    }

    /// Learns features and what they say of the first five kinds.
    pub Source {
        i = Input(28, 28, 1);
        f = Features()(i);
        x = Dense(5, softmax)(f);
    }

    /// Takes the features as they are, and learns what they say of the other five.
    pub Target {
        i = Input(28, 28, 1);
        f = Features(frozen)(i);
        x = Dense(5, softmax)(f);
    }
}

fn main() -> Result<()> {
    let device = Device::cuda_if_available(0)?;
    let subset = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/fashion-mnist"));
    let (train, test) = data::fashion_mnist(subset)?;
    let file = std::env::temp_dir().join("features.safetensors");

    let mut source = Source::new(&device, Seed(42))?;
    source
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
        .fit(&only(SEEN, &train, usize::MAX)?, Fit::epochs(8).validation(&only(SEEN, &test, usize::MAX)?))?;
    source.save_layer("features", &file)?;

    let (few, unseen) = (only(OTHERS, &train, 20)?, only(OTHERS, &test, usize::MAX)?);
    let mut target = Target::new(&device, Seed(7))?;
    println!("\n{}\n", target.summary());
    println!("features drawn at random: {}", head(&mut target, &few, &unseen)?);
    let mut target = Target::new(&device, Seed(7))?;
    target.load_layer("features", &file)?;
    println!("features learned on others: {}", head(&mut target, &few, &unseen)?);
    std::fs::remove_file(&file).map_err(|error| Error::Data(format!("cannot remove `{}`: {error}", file.display())))
}

/// Trains the last layer on a few pictures, and tries it on others.
fn head(target: &mut Model<Target>, few: &Dataset, unseen: &Dataset) -> Result<Evaluation> {
    target
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy])
        .fit(few, Fit::epochs(60).batch_size(20).verbose(Verbose::Silent))?;
    target.evaluate(unseen)
}

/// The pictures of these kinds, `most` of each at most, labelled by their place among them.
fn only(kinds: [u32; 5], data: &Dataset<data::FashionMNIST>, most: usize) -> Result<Dataset> {
    let (mut counts, mut chosen, mut labels) = ([0; 5], Vec::new(), Vec::new());
    for (index, label) in data.labels().iter().enumerate() {
        let Some(kind) = kinds.iter().position(|kind| kind == label).filter(|kind| counts[*kind] < most) else { continue };
        counts[kind] += 1;
        chosen.push(index);
        labels.push(kind as u32);
    }
    let (images, _) = data.batch(&chosen, &Device::Cpu)?;
    Dataset::from_tensors(&images, &Tensor::new(labels, &Device::Cpu)?)
}
