//! A network without a fixed input size: trained on pictures of 28×28, it takes larger ones as they are.
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
        x = GlobalMaxPooling2D()(m);
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
        .fit(&train, Fit::epochs(5).validation(&test))?;

    let (pictures, labels) = test.batch(&(0..test.len()).collect::<Vec<_>>(), &device)?;
    for (left, right) in [(0, 0), (2, 6), (10, 10), (20, 40)] {
        let framed = pictures.pad_with_zeros(1, left, left)?.pad_with_zeros(2, left, right)?;
        let (_, height, width, _) = framed.dims4()?;
        let maps = model.maps.forward(&framed.narrow(0, 0, 1)?, &Context::inference())?;
        let found = Tensor::new(model.predict_classes(&framed)?, &device)?;
        let hits = found.eq(&labels)?.to_dtype(DType::F32)?.mean_all()?.to_scalar::<f32>()?;
        println!("pictures of {height}×{width}, maps of {:?}: accuracy {hits:.3}", &maps.dims()[1..]);
    }

    let small = model.predict(&pictures.narrow(1, 0, 3)?);
    println!("pictures of 3×28: {}", small.unwrap_err());
    Ok(())
}
