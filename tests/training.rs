//! Training from end to end against Keras: the same network from the same weights on the same data, by the values in
//! `tests/training/`, which `generate.py` there wrote.
//!
//! Losses and metrics, step by step and of `fit`, and all weights and running statistics in the end must be within 1e-5 of
//! the reference, relative to the largest of their kind. In one network every kernel is regularized, in the other weights are held and outputs
//! regularized, so that a penalty that is left out, or added where Keras adds none, is seen.

#[path = "support/device.rs"]
mod device;

use candle_core::{DType, Tensor};
use cnn_runtime::prelude::*;
use device::{device, folder};
use std::collections::HashMap;

const TOLERANCE: f64 = 1e-5;

model! {
    /// `reference` in `generate.py`.
    Net {
        i = Input(6, 7, 2);
        x = Conv2D(4, 3, same, use_bias=false, kernel_regularizer=L2(0.01))(i);
        x = BatchNormalization(momentum=0.9, gamma_regularizer=L2(0.005))(x);
        x = ReLU()(x);
        x = MaxPooling2D(2)(x);
        x = SeparableConv2D(5, 2, depthwise_regularizer=L1(0.002), pointwise_regularizer=L1L2(l1=0.001, l2=0.01), bias_regularizer=L2(0.1))(x);
        x = Dropout(0.0)(x);
        x = Flatten()(x);
        x = Dense(3, softmax, kernel_regularizer=L2(0.02), bias_regularizer=l1)(x);
    }
}

model! {
    /// `held` in `generate.py`.
    Held {
        i = Input(6, 7, 2);
        x = Conv2D(4, 3, same, relu, activity_regularizer=L2(0.01), kernel_constraint=MaxNorm(0.9, axis=(0, 1, 2)), bias_constraint=NonNeg())(i);
        x = BatchNormalization(momentum=0.9, beta_constraint=MaxNorm(0.5), gamma_constraint=non_neg)(x);
        x = DepthwiseConv2D(2, depth_multiplier=2, activity_regularizer=L1(0.002), depthwise_constraint=UnitNorm(axis=(0, 1, 3)))(x);
        x = ActivityRegularization(l1=0.001, l2=0.002)(x);
        x = Conv2DTranspose(3, 3, stride=2, tanh, activity_regularizer=L1L2(l1=0.001, l2=0.003), kernel_constraint=MinMaxNorm(0.5, 0.8, rate=0.7, axis=[0, 1, 3]))(x);
        x = SeparableConv2D(5, 2, stride=3, activity_regularizer=L2(0.004), depthwise_constraint=MaxNorm(0.6, axis=2), pointwise_constraint=UnitNorm(axis=None))(x);
        x = Flatten()(x);
        x = Dense(3, softmax, activity_regularizer=L2(0.2), kernel_constraint=MaxNorm(1.2))(x);
    }
}

/// What Keras found of one network.
struct Reference {
    manifest: serde_json::Value,
    tensors: HashMap<String, Tensor>,
}

impl Reference {
    fn read(network: &str) -> Result<Self> {
        let folder = folder("training");
        let manifest = std::fs::read_to_string(folder.join(format!("{network}.json"))).expect("a manifest");
        Ok(Self {
            manifest: serde_json::from_str(&manifest).expect("a manifest in JSON"),
            tensors: candle_core::safetensors::load(folder.join(format!("{network}.safetensors")), &device())?,
        })
    }

    fn size(&self, name: &str) -> usize {
        self.manifest[name].as_u64().expect("a whole number") as usize
    }

    fn data(&self, prefix: &str) -> Result<Dataset> {
        let tensor = |name: &str| &self.tensors[&format!("{prefix}{name}")];
        let labels = tensor("labels").to_vec1::<u32>()?;
        Dataset::new(tensor("images").flatten_all()?.to_vec1::<f32>()?, [6, 7, 2], labels)
    }

    /// The network with the weights that every run starts from.
    fn model<N: Network>(&self) -> Result<Model<N>> {
        let model = in_full::<N>(&device(), 1)?;
        for (name, variable) in model.variables() {
            variable.set(&self.tensors[&format!("initial/{name}")])?;
        }
        Ok(model)
    }
}

/// A new model that multiplies with all bits, so that what it finds is comparable wherever it runs.
fn in_full<N: Network>(device: &Device, seed: u64) -> Result<Model<N>> {
    let mut model = Model::<N>::new(device, Seed(seed))?;
    model.set_precision(Precision::F32);
    Ok(model)
}

fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

fn numbers(values: &serde_json::Value) -> Vec<f64> {
    values.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0f64, |largest, x| largest.max(x.abs()));
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= TOLERANCE * largest, "{what}[{place}] is {found}, expected {expected}");
    }
}

/// Compares every weight and running statistic with those after a run.
fn assert_trained<N: Network>(run: &str, model: &Model<N>, reference: &Reference) -> Result<()> {
    let expected = reference.tensors.keys().filter(|name| name.starts_with(&format!("{run}/"))).count();
    assert_eq!(model.variables().len(), expected);
    for (name, variable) in model.variables() {
        let (after, before) = (&reference.tensors[&format!("{run}/{name}")], &reference.tensors[&format!("initial/{name}")]);
        assert_ne!(values(after)?, values(before)?, "`{name}` is trained");
        assert_close(&format!("{run}: {name}"), &values(variable)?, &values(after)?);
    }
    Ok(())
}

fn trains_as_keras_does<N: Network>(network: &str, run: &str, optimizer: impl Optimizer + Copy + 'static) -> Result<()> {
    let reference = Reference::read(network)?;
    let expected = &reference.manifest["runs"][run];
    let (train, validation) = (reference.data("")?, reference.data("validation_")?);
    let (epochs, batch_size) = (reference.size("epochs"), reference.size("batch_size"));

    let mut stepped = reference.model::<N>()?;
    stepped.compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy]);
    let indices: Vec<usize> = (0..train.len()).collect();
    let mut steps = expected["steps"].as_array().expect("a list of steps").iter();
    for batch in (0..epochs).flat_map(|_| indices.chunks(batch_size)) {
        let (images, labels) = train.batch(batch, &device())?;
        let found = stepped.train_on_batch(&images, &labels)?;
        let expected = numbers(steps.next().expect("as many steps"));
        assert_close(&format!("{run}: loss, accuracy"), &[found.loss(), found["accuracy"]], &expected);
    }
    assert!(steps.next().is_none());
    assert_trained(run, &stepped, &reference)?;

    let mut fitted = reference.model::<N>()?;
    fitted.compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy]);
    let fit = Fit::epochs(epochs).batch_size(batch_size).validation(&validation).shuffle(false).verbose(Verbose::Silent);
    let history = fitted.fit(&train, fit)?;
    for name in ["loss", "accuracy", "val_loss", "val_accuracy"] {
        assert_close(&format!("{run}: {name}"), &history[name], &numbers(&expected["history"][name]));
    }
    assert_trained(run, &fitted, &reference)?;
    let found = fitted.evaluate(&train)?;
    for name in ["loss", "accuracy"] {
        assert_close(
            &format!("{run}: evaluated {name}"),
            &[found[name]],
            &[expected["evaluate"][name].as_f64().expect("a number")],
        );
    }
    Ok(())
}

#[test]
fn with_momentum() -> Result<()> {
    trains_as_keras_does::<Net>("reference", "momentum", SGD { momentum: 0.9, ..SGD::new(0.05) })
}

#[test]
fn with_nesterovs_momentum() -> Result<()> {
    trains_as_keras_does::<Net>("reference", "nesterov", SGD { momentum: 0.9, nesterov: true, ..SGD::new(0.05) })
}

#[test]
fn with_adam() -> Result<()> {
    trains_as_keras_does::<Net>("reference", "adam", Adam::new(0.01))
}

#[test]
fn with_constraints_and_regularized_outputs() -> Result<()> {
    trains_as_keras_does::<Held>("held", "momentum", SGD { momentum: 0.9, ..SGD::new(0.05) })?;
    trains_as_keras_does::<Held>("held", "adam", Adam::new(0.01))
}

model! {
    block body(filters)(x) {
        BatchNormalization()(Conv2D(filters, 3, same, use_bias=false)(x))
    }

    /// Normalisations and sums whose rectifiers `fit` computes in their pass.
    Rectified {
        i = Input(6, 7, 2);
        x = ReLU()(body(4)(i));
        x = ReLU()(body(4)(x) + x);
        x = ReLU(6)(body(4)(x) + x);
        x = ReLU(6)(body(4)(x));
        y = body(4)(x);
        x = ReLU()(y) + y;
        x = Dense(3, softmax)(Flatten()(x));
    }

    /// The same with rectifiers of another name, which are passes of their own.
    Activated {
        i = Input(6, 7, 2);
        x = Activation(relu)(body(4)(i));
        x = Activation(relu)(body(4)(x) + x);
        x = Activation(relu6)(body(4)(x) + x);
        x = Activation(relu6)(body(4)(x));
        y = body(4)(x);
        x = Activation(relu)(y) + y;
        x = Dense(3, softmax)(Flatten()(x));
    }
}

/// The variables of a new model after some steps.
fn trained<N: Network>() -> Result<Vec<Vec<f32>>> {
    let mut model = in_full::<N>(&device(), 3)?;
    model.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []);
    let xs = Tensor::arange(0f32, 8. * 84., &device())?.sin()?.reshape((8, 6, 7, 2))?;
    let labels = Tensor::from_iter((0..8u32).map(|index| index % 3), &device())?;
    for _ in 0..5 {
        model.train_on_batch(&xs, &labels)?;
    }
    model.variables().iter().map(|(_, variable)| Ok(variable.flatten_all()?.to_vec1()?)).collect()
}

#[test]
fn a_rectifier_in_the_pass_before_it_changes_no_bit() -> Result<()> {
    assert_eq!(trained::<Rectified>()?, trained::<Activated>()?);
    Ok(())
}

#[test]
fn a_checkpoint_goes_from_one_device_to_another() -> Result<()> {
    let folder = tempfile::tempdir().expect("a place for the file");
    let images = Tensor::arange(0f32, 8. * 84., &Device::Cpu)?.sin()?.reshape((8, 6, 7, 2))?;
    let labels = Tensor::from_iter((0..8u32).map(|index| index % 3), &Device::Cpu)?;
    for [from, to] in [[device(), Device::Cpu], [Device::Cpu, device()]] {
        let mut trained = in_full::<Net>(&from, 3)?;
        trained.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []);
        trained.train_on_batch(&images.to_device(&from)?, &labels.to_device(&from)?)?;
        let checkpoint = folder.path().join("net.safetensors");
        trained.save(&checkpoint)?;

        let mut loaded = in_full::<Net>(&to, 4)?;
        loaded.load(&checkpoint)?;
        for ((name, expected), (_, found)) in trained.variables().iter().zip(loaded.variables()) {
            assert!(found.device().same_device(&to));
            assert_eq!(values(found)?, values(expected)?, "{name}");
        }
        let predicted = |model: &Model<Net>, on: &Device| values(&model.predict(&images.to_device(on)?)?);
        assert_close("predictions", &predicted(&loaded, &to)?, &predicted(&trained, &from)?);
    }
    Ok(())
}
