//! A network without a fixed input size: trained on pictures of two sizes, it takes others as they are.
//!
//! `cargo run --release --example any_size`

use cnn_runtime::prelude::*;
use std::path::Path;

model! {
    /// What each part of a picture looks like, in ten maps.
    pub Maps {
        i = Input(_, _, 1);
        x = Conv2D(16, 3, same, relu)(i);
        x = MaxPooling2D(2)(x);
        x = Conv2D(32, 3, same, relu)(x);
        x = MaxPooling2D(2)(x);
        x = Conv2D(64, 3, same, relu)(x);
        x = Conv2D(10, 1)(x);
    }

    /// What a picture of any size shows.
    pub Classifier {
        i = Input(_, _, 1);
        m = Maps()(i);
        x = GlobalAveragePooling2D()(m);
        x = Softmax()(x);
    }
}

fn main() -> Result<()> {
    let device = Device::cuda_if_available(0)?;
    let subset = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/fashion-mnist"));
    let (train, test) = data::fashion_mnist(subset)?;

    let mut model = Classifier::new(&device, Seed(42))?;
    println!("{}\n", model.summary());
    model.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy]);
    for _ in 0..6 {
        for frame in [0, 6] {
            model.fit(&framed(&train, frame, frame)?, Fit::epochs(1))?;
        }
    }

    println!();
    for (before, after) in [(0, 0), (6, 6), (4, 8), (4, 20), (30, 10)] {
        let pictures = framed(&test, before, after)?;
        let [height, width, _] = pictures.shape();
        println!("pictures of {height}×{width}: {}", model.evaluate(&pictures)?);
    }
    let slice = test.batch(&[0], &device)?.0.narrow(1, 0, 3)?;
    println!("a slice of 3×28: {}", model.predict(&slice).unwrap_err());
    Ok(())
}

/// The same pictures with black on all sides.
fn framed<K: data::Kind>(data: &Dataset<K>, before: usize, after: usize) -> Result<Dataset> {
    let (images, labels) = data.batch(&(0..data.len()).collect::<Vec<_>>(), &Device::Cpu)?;
    let framed = images.pad_with_zeros(1, before, after)?.pad_with_zeros(2, before, after)?;
    Dataset::from_tensors(&framed, &labels)
}
