//! A network without a fixed input size: trained on pictures of 28×28, it finds clothes in larger ones.
//!
//! `cargo run --release --example any_size`

use cnn_runtime::prelude::*;
use std::path::Path;

model! {
    /// What each part of a picture looks like, in ten maps.
    pub Maps {
        i = Input(_, _, 1);
        x = Conv2D(32, 3, stride=2, relu)(i);
        x = Conv2D(64, 3, stride=2, relu)(x);
        x = Conv2D(64, 3, relu)(x);
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
    model
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
        .fit(&train, Fit::epochs(8).validation(&test))?;

    let (pictures, labels) = test.batch(&[0, 1, 2, 3, 4, 5], &device)?;
    let row = |first: usize| Tensor::cat(&[pictures.get(first)?, pictures.get(first + 1)?, pictures.get(first + 2)?], 1);
    let wall = Tensor::cat(&[row(0)?, row(3)?], 0)?.unsqueeze(0)?;
    let maps = model.maps.forward(&wall, &Context::inference())?;
    println!("\nsix pictures side by side: {:?} to {:?}", wall.dims(), maps.dims());
    let names = test.class_names();
    for (index, label) in labels.to_vec1::<u32>()?.into_iter().enumerate() {
        let found = at(&maps, index / 3, index % 3)?;
        println!("  row {}, column {}: {} (it is {})", index / 3, index % 3, names[found as usize], names[label as usize]);
    }

    let small = model.predict(&pictures.narrow(1, 0, 14)?.narrow(2, 0, 14)?);
    println!("\na corner of 14×14: {}", small.unwrap_err());
    Ok(())
}

/// The class that a part of the maps speaks for, of two rows and three columns.
fn at(maps: &Tensor, row: usize, column: usize) -> Result<u32> {
    let (_, height, width, _) = maps.dims4()?;
    let part = maps.narrow(1, row * height / 2, height / 2)?.narrow(2, column * width / 3, width / 3)?;
    Ok(part.mean((0, 1, 2))?.argmax(0)?.to_scalar()?)
}
