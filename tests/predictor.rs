//! What a predictor says is what its model says, however the batch is cut, for networks of every structure.

#[path = "support/device.rs"]
#[allow(dead_code, reason = "there are no expected numbers in files")]
mod device;

use cnn_runtime::candle_core;
use cnn_runtime::layers::CustomLayer;
use cnn_runtime::prelude::*;
use cnn_runtime::spec::{Inferred, Operand, ShapeError, rules};
use cnn_runtime::zoo;
use device::device;

/// Sets every variable to numbers of its own, running statistics too, so that no scale is 1 and no shift 0.
fn stir<N: Network>(model: &Model<N>) -> Result<()> {
    for (seed, (name, variable)) in model.variables().iter().enumerate() {
        let count = variable.elem_count();
        let number = |i: usize| ((i * 7919 + seed * 104_729) % 1009) as f64 / 1009.;
        let fan_in = (count / variable.dims()[0]).max(1) as f64;
        let value = |i: usize| match name.rsplit('.').next() {
            Some("running_var") => 0.5 + number(i),
            Some("weight") if variable.rank() == 1 => 0.5 + number(i),
            Some("weight") => (number(i) - 0.5) * 3. / fan_in.sqrt(),
            _ => number(i) - 0.5,
        };
        let values: Vec<f32> = (0..count).map(|i| value(i) as f32).collect();
        variable.set(&Tensor::from_vec(values, variable.dims(), variable.device())?)?;
    }
    Ok(())
}

/// So many images of numbers within ±1, the same each time: sums of single numbers, in networks of many layers, differ by more or less.
fn images(batch: usize, image: &[usize]) -> Result<Tensor> {
    let count = batch * image.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|i| ((i * 7919 + i / 1009) % 2003) as f32 / 1001. - 1.).collect();
    Ok(Tensor::from_vec(values, [&[batch], image].concat(), &device())?)
}

/// That the predictor of a model of `N` agrees with the network itself on batches of these numbers of images.
fn agrees<N: Network>(image: &[usize], batches: &[usize]) -> Result<()> {
    let mut model = Model::<N>::new(&device(), Seed(7))?;
    // As layers do that are called by themselves.
    model.set_precision(Precision::F32);
    stir(&model)?;
    let predictor = model.predictor()?;
    for &batch in batches {
        let images = images(batch, image)?;
        let expected = model.call(std::slice::from_ref(&images), &Context::inference())?.swap_remove(0);
        let found = predictor.predict(&images)?;
        assert_eq!(found.dims(), expected.dims());
        let largest = |xs: &Tensor| xs.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>();
        let (distance, size) = (largest(&(&found - &expected)?)?, largest(&expected)?);
        assert!(distance <= 5e-5 * size.max(1e-3), "{}, {batch} images: {distance} of {size}", N::GRAPH.name);
    }
    Ok(())
}

model! {
    block norm(filters, stride = 1)(x) {
        BatchNormalization()(Conv2D(filters, 3, stride=stride, same, use_bias=false)(x))
    }

    /// Every way in which layers go into one pass, and some in which they must not.
    Mixed {
        i = Input(13, 10, 3);
        x = ReLU()(norm(16)(i));
        short = norm(32, stride=2)(x);
        x = Dropout(0.5)(Activation(tanh)(norm(32, stride=2)(x)));
        x = ReLU(max_value=6)(norm(32)(x) + short);
        // Its output is taken twice.
        y = Conv2D(32, 1)(x);
        x = y + BatchNormalization()(y);
        x = Conv2D(32, 3, same, groups=4)(x) + x;
        x = BatchNormalization(scale=false)(Conv2D(24, 3, silu)(x));
        x = Conv2D(24, 1, same)(x) + x;
        x = LeakyReLU(0.1)(BatchNormalization(center=false)(Conv2D(8, 2)(x)));
        x = Dense(20)(Flatten()(x));
        x = ReLU()(BatchNormalization()(x)) + Dense(20)(x);
        x = Dense(5, softmax)(x);
    }
}

model! {
    /// One convolution applied twice: weights with two normalisations.
    Shared {
        i = Input(8, 8, 4);
        conv = Conv2D(16, 3, same);
        other = Conv2D(4, 1);
        x = BatchNormalization()(conv(i));
        x = BatchNormalization()(conv(other(x)));
        x = GlobalMaxPooling2D()(x);
    }
}

model! {
    /// Sequences.
    Sequence {
        i = Input(40, 2);
        x = BatchNormalization()(Conv1D(16, 5, causal)(i));
        x = Conv1D(16, 3, relu)(x);
        x = GlobalAveragePooling1D()(x);
    }
}

model! {
    /// A network that takes images of any size.
    Open {
        i = Input(_, _, 3);
        x = ReLU()(BatchNormalization()(Conv2D(16, 3, same)(i)));
        x = Conv2D(4, 3)(x);
    }
}

model! {
    /// A network in a network.
    Outer {
        i = Input(13, 10, 3);
        x = Mixed()(i);
        x = Dense(3)(x);
    }
}

#[test]
fn of_every_structure() -> Result<()> {
    agrees::<Mixed>(&[13, 10, 3], &[1, 2, 37])?;
    agrees::<Shared>(&[8, 8, 4], &[1, 40])?;
    agrees::<Sequence>(&[40, 2], &[1, 300])?;
    agrees::<Open>(&[9, 14, 3], &[1, 5])?;
    agrees::<Open>(&[32, 17, 3], &[1, 5])?;
    agrees::<Outer>(&[13, 10, 3], &[1, 9])
}

#[test]
fn of_the_classics() -> Result<()> {
    agrees::<zoo::LeNet5>(&[32, 32, 1], &[1, 33])?;
    agrees::<zoo::CifarResNet20>(&[32, 32, 3], &[1, 5])?;
    agrees::<zoo::SqueezeNet>(&[224, 224, 3], &[1])?;
    agrees::<zoo::MobileNetV2>(&[224, 224, 3], &[1])
}

/// Twice what comes in.
struct Twice;

impl Twice {
    #[allow(clippy::result_large_err)]
    const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        match rules::one("Twice", inputs) {
            Ok(input) => Ok(Inferred::shape(input.shape)),
            Err(error) => Err(error),
        }
    }
}

impl CustomLayer for Twice {
    fn forward(&self, _: &[Tensor], xs: &[&Tensor], _: &Context) -> candle_core::Result<Tensor> {
        xs[0] * 2.
    }
}

model! {
    /// A network whose plan only its own type could make.
    Own {
        i = Input(6, 6, 2);
        x = Custom(Twice)(Conv2D(16, 3, relu)(i));
        x = Flatten()(x);
    }
}

model! {
    /// Maps of a few pixels, of which there are so few that it could matter how many images a thread has.
    Shrinking {
        i = Input(9, 9, 8);
        a = Conv2D(16, 3, relu)(i);
        b = Dense(24, tanh)(Flatten()(Conv2D(4, 7)(a)));
        x = Conv2D(32, 5, stride=2, relu)(a);
        x = Conv2D(64, 2)(x);
        x = Conv2D(64, 1, groups=4)(x) + x;
        x = Dense(10, softmax)(Concatenate()([Flatten()(x), b]));
    }
}

model! {
    /// Many small groups, whose outputs are cut into parts for threads, with what a predictor folds into them.
    Separate {
        i = Input(40, 37, 8);
        x = DepthwiseConv2D(3, same, relu)(i);
        x = DepthwiseConv2D([5, 3], stride=2, depth_multiplier=3, use_bias=false)(x);
        x = ReLU(6)(BatchNormalization()(x));
        y = BatchNormalization()(Conv2D(48, 3, same, groups=12)(x));
        x = ReLU()(Conv2D(48, 1, groups=2)(x) + y);
        x = GlobalAveragePooling2D()(x);
        x = Dense(10, softmax)(x);
    }
}

#[test]
fn with_many_groups() -> Result<()> {
    agrees::<Separate>(&[40, 37, 8], &[1, 2, 7, 20])
}

#[test]
fn with_any_number_of_threads() -> Result<()> {
    fn same_bits<N: Network>(image: &[usize]) -> Result<()> {
        let model = Model::<N>::new(&device(), Seed(7))?;
        stir(&model)?;
        for batch in [1, 2, 3, 4, 7, 16, 33, 65] {
            let images = images(batch, image)?;
            // Each lays the weights out, on the threads it has.
            let bits = |predictor: Predictor<N>| {
                let found = predictor.predict(&images)?.flatten_all()?.to_vec1::<f32>()?;
                Ok::<_, Error>(found.into_iter().map(f32::to_bits).collect::<Vec<_>>())
            };
            let on = |threads| {
                let (predictor, pool) = (model.predictor()?, rayon::ThreadPoolBuilder::new().num_threads(threads).build());
                pool.expect("a pool").install(|| bits(predictor))
            };
            let expected = on(1)?;
            assert!(bits(model.predictor()?)? == expected, "{}, {batch} images", N::GRAPH.name);
            for threads in [2, 3, 5] {
                assert!(on(threads)? == expected, "{}, {batch} images on {threads} threads", N::GRAPH.name);
            }
        }
        Ok(())
    }
    same_bits::<Shrinking>(&[9, 9, 8])?;
    same_bits::<Separate>(&[40, 37, 8])?;
    same_bits::<Mixed>(&[13, 10, 3])
}

#[test]
fn of_layers_of_ones_own() -> Result<()> {
    agrees::<Own>(&[6, 6, 2], &[1, 20])
}

#[test]
fn keeps_the_weights_it_was_made_with() -> Result<()> {
    let model = zoo::LeNet5::new(&device(), Seed(1))?;
    let images = Tensor::rand(0f32, 1., (3, 32, 32, 1), &device())?;
    let predictor = model.predictor()?;
    let before = predictor.predict(&images)?.to_vec2::<f32>()?;
    stir(&model)?;
    assert_eq!(predictor.predict(&images)?.to_vec2::<f32>()?, before);
    assert_ne!(model.predict(&images)?.to_vec2::<f32>()?, before);
    assert_eq!(predictor.predict_classes(&images)?.len(), 3);
    Ok(())
}

#[test]
fn predicts_by_default_as_with_all_bits_on_a_processor() -> Result<()> {
    let predict = |precision| {
        let mut model = zoo::LeNet5::new(&Device::Cpu, Seed(1))?;
        stir(&model)?;
        model.set_precision(precision);
        let predictor = model.predictor()?;
        let of = |batch: usize| {
            let count = batch * 32 * 32;
            let images = Tensor::from_iter((0..count).map(|at| (at % 97) as f32 / 97.), &Device::Cpu)?;
            predictor.predict(&images.reshape((batch, 32, 32, 1))?)?.to_vec2::<f32>().map_err(Error::from)
        };
        // One image, whose last convolution has one pixel, and several.
        Ok::<_, Error>([of(1)?, of(9)?])
    };
    assert_eq!(predict(Precision::default())?, predict(Precision::F32)?);
    Ok(())
}

#[test]
fn says_what_does_not_fit() -> Result<()> {
    let predictor = zoo::LeNet5::new(&device(), Seed(1))?.predictor()?;
    let error = |dims: &[usize]| predictor.predict(&Tensor::zeros(dims, DType::F32, &device()).unwrap()).unwrap_err().to_string();
    assert!(error(&[5, 32, 30, 1]).contains("takes a batch of N×32×32×1, found 5×32×30×1"), "{}", error(&[5, 32, 30, 1]));
    assert_eq!(error(&[0, 32, 32, 1]), "there are no images to predict");
    Ok(())
}
