//! A network made ready to predict, and to do nothing else.

use crate::data::Images;
use crate::gpu::Gpu;
use crate::kernels::keep_freed_pages;
use crate::plan::Plan;
use crate::{Context, Error, Model, Network, Precision, Result, Weights, spec};
use candle_core::{D, Tensor};
use candle_nn::VarBuilder;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

/// A network with the weights that its model had when this was made, laid out once for predictions alone.
///
/// Batch normalisations have become part of the convolutions before them, sums and activations are computed in the same
/// pass, and a single image is predicted without waking a thread where that would take longer. Its predictions are those of
/// the model up to rounding.
///
/// ```
/// use cnn_runtime::prelude::*;
///
/// model! {
///     Digits {
///         i = Input(28, 28, 1);
///         x = Conv2D(32, 3, stride=2, use_bias=false)(i);
///         x = ReLU()(BatchNormalization()(x));
///         x = Dense(10, softmax)(Flatten()(x));
///     }
/// }
///
/// let model = Digits::new(&Device::Cpu, Seed(42))?;
/// let predictor = model.predictor()?;
/// let image = Tensor::zeros((1, 28, 28, 1), DType::F32, &Device::Cpu)?;
/// assert_eq!(predictor.predict(&image)?.dims(), [1, 10]);
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
pub struct Predictor<N> {
    /// The network, of which the graph and, where no plan can be made, the layers are used.
    network: N,
    plan: Option<Plan>,
    precision: Precision,
    device: candle_core::Device,
}

/// Images that are predicted at once, at most.
const BATCH: usize = 256;

impl<N: Network> Model<N> {
    /// This model as it is now, made ready to predict: for a service, or wherever the same weights predict again and again.
    ///
    /// # Errors
    /// If memory for another copy of the weights is lacking on the device.
    pub fn predictor(&self) -> Result<Predictor<N>> {
        keep_freed_pages();
        let copy = |(name, variable): &(String, candle_core::Var)| Ok((name.clone(), variable.as_tensor().detach().copy()?));
        let tensors = self.state.variables.iter().map(copy).collect::<Result<HashMap<_, _>>>()?;
        let device = self.state.device.clone();
        let dtype = tensors.values().next().map_or(candle_core::DType::F32, Tensor::dtype);
        let weights = Weights::from_var_builder(VarBuilder::from_tensors(tensors, dtype, &device));
        let precision = self.state.precision;
        let is_prepared = device.is_cpu() && Gpu::of(&device).is_none();
        let plan = if is_prepared { precision.during(|| Plan::new(&N::GRAPH, &weights))? } else { None };
        Ok(Predictor { network: N::build(&weights)?, plan, precision, device })
    }
}

impl<N: Network> Predictor<N> {
    /// The output of the network for every image, as [`Model::predict`].
    ///
    /// # Errors
    /// If there are no images, or they are not of the shape the network was declared for.
    pub fn predict<I: Images>(&self, images: &I) -> Result<Tensor> {
        const { spec::require(N::GRAPH.takes_images("predict", &I::KNOWN)) };
        self.run(images.count(), &|range| images.images(range, &self.device))
    }

    /// The most probable class of every image, as [`Model::predict_classes`].
    ///
    /// # Errors
    /// As [`Self::predict`].
    pub fn predict_classes<I: Images>(&self, images: &I) -> Result<Vec<u32>> {
        const { spec::require(N::GRAPH.fits("predict_classes", &I::KNOWN)) };
        Ok(self.predict(images)?.argmax(D::Minus1)?.to_vec1()?)
    }

    fn run(&self, count: usize, images: &dyn Fn(Range<usize>) -> Result<Tensor>) -> Result<Tensor> {
        let mut outputs = Vec::new();
        for start in (0..count).step_by(BATCH) {
            outputs.push(self.run_batch(&images(start..count.min(start + BATCH))?)?);
        }
        match outputs.len() {
            0 => Err(Error::Data("there are no images to predict".into())),
            1 => Ok(outputs.swap_remove(0)),
            _ => Ok(Tensor::cat(&outputs, 0)?),
        }
    }

    fn run_batch(&self, batch: &Tensor) -> Result<Tensor> {
        match &self.plan {
            Some(plan) => Ok(plan.predict(batch)?),
            None => {
                let call = || self.network.call(std::slice::from_ref(batch), &Context::inference());
                Ok(self.precision.during(call)?.swap_remove(0))
            }
        }
    }
}

impl<N: Network> fmt::Debug for Predictor<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ready to predict on {:?}", N::GRAPH.name, self.device)
    }
}
