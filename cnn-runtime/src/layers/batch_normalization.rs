//! `BatchNormalization`: every channel is given mean 0 and variance 1 over the batch.

use crate::kernels::Moments;
use crate::spec::{self, Activation, Graph, Operand, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor, Var};

/// Batch normalisation of the last axis, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct BatchNormalization {
    /// What each channel is multiplied by, if anything: Keras' gamma.
    pub weight: Option<Tensor>,
    /// What is added to each channel, if anything: Keras' beta.
    pub bias: Option<Tensor>,
    /// The mean of each channel, averaged over the batches of training.
    pub running_mean: Var,
    /// The biased variance of each channel, averaged over the batches of training.
    pub running_var: Var,
    spec: spec::BatchNormalization,
    frozen: bool,
    /// What the layer behind this one would do, and this one does in a pass of `fit` over the whole network.
    then: Activation,
}

impl BatchNormalization {
    /// The layer for tensors of shape `input`, with tensors from `weights`; frozen, it uses its running statistics also
    /// while training, and leaves them as they are.
    ///
    /// # Errors
    /// If the layer does not take that shape, or `weights` lacks a tensor of the right shape.
    pub fn build(spec: spec::BatchNormalization, input: Shape, weights: &Weights) -> Result<Self> {
        let inferred = spec.infer(&[Operand::new("input", input)]).map_err(candle_core::Error::wrap)?;
        let (weight, bias) = layers::affine(&inferred, weights)?;
        let statistics = inferred.parameters.as_slice().iter().filter(|parameter| parameter.is_statistic);
        let mut statistics = statistics.map(|parameter| weights.statistic(parameter)).collect::<Result<Vec<_>>>()?;
        let running_var = statistics.remove(1);
        Ok(Self {
            weight,
            bias,
            running_mean: statistics.remove(0),
            running_var,
            spec,
            frozen: weights.is_frozen(),
            then: Activation::Linear,
        })
    }

    /// The same layer, which knows whether its pass of `fit` rectifies too.
    pub(super) fn then_rectifies(self, graph: &Graph, index: usize) -> Self {
        let then = graph.rectifier(index).map_or(Activation::Linear, |(_, rectifier)| rectifier);
        Self { then, ..self }
    }

    /// Normalises `xs`: while training with the moments of the batch, which the running statistics move towards, else with
    /// the running statistics.
    ///
    /// # Errors
    /// If `xs` has another number of channels, or no values to train on.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let channels = self.running_mean.elem_count();
        let (weight, bias) = layers::scale_and_shift(self.weight.as_ref(), self.bias.as_ref(), channels, xs, cx)?;
        let of_the_batch = cx.is_training() && !self.frozen;
        let moments = if of_the_batch {
            let moments = Moments::of(xs)?;
            moments.remember(&self.running_mean, &self.running_var, self.spec.momentum)?;
            moments
        } else {
            Moments::running(&self.running_mean, &self.running_var)?
        };
        let activation = if kernels::is_recording(xs.device()) { self.then } else { Activation::Linear };
        kernels::batch_norm(xs, &weight, bias.as_ref(), moments, self.spec.epsilon, of_the_batch, activation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use candle_core::{DType, Device};

    fn layer(weights: &Weights) -> BatchNormalization {
        BatchNormalization::build(spec::BatchNormalization::new(), Shape::new([2]), weights).unwrap()
    }

    fn fresh() -> Weights<'static> {
        Weights::fresh(Seed(1), DType::F32, &Device::Cpu).pp("batch_normalization")
    }

    #[test]
    fn running_statistics_are_variables_of_the_model_that_move_while_it_trains() {
        let weights = fresh();
        let layer = layer(&weights);
        let xs = Tensor::new(&[[1f32, 10.], [3., 20.]], &Device::Cpu).unwrap();
        layer.forward(&xs, &Context::training(Seed(0), 0)).unwrap();
        let variables = weights.variables();
        let names: Vec<&str> = variables.iter().map(|(name, _)| name.rsplit('.').next().unwrap()).collect();
        assert_eq!(names, ["weight", "bias", "running_mean", "running_var"]);
        let found = |index: usize| variables[index].1.to_vec1::<f32>().unwrap();
        let close = |found: Vec<f32>, expected: [f32; 2]| found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close(found(2), [0.02, 0.15]), "{:?}", found(2));
        assert!(close(found(3), [0.99 + 0.01, 0.99 + 0.25]), "{:?}", found(3));
    }

    #[test]
    fn a_frozen_layer_and_inference_leave_them_as_they_are() {
        let xs = Tensor::new(&[[1f32, 10.], [3., 20.]], &Device::Cpu).unwrap();
        for (weights, cx) in [(fresh().frozen(), Context::training(Seed(0), 0)), (fresh(), Context::inference())] {
            let layer = layer(&weights);
            let ys = layer.forward(&xs, &cx).unwrap();
            assert_eq!(layer.running_mean.to_vec1::<f32>().unwrap(), [0., 0.]);
            let expected = (xs.clone() / 1.001f64.sqrt()).unwrap().to_vec2::<f32>().unwrap();
            let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
            assert!(ys.to_vec2::<f32>().unwrap().iter().flatten().zip(expected.iter().flatten()).all(close), "{ys}");
        }
    }

    #[test]
    fn a_batch_of_one_vector_gives_its_bias() {
        let layer = layer(&fresh());
        let xs = Tensor::new(&[[5f32, -7.]], &Device::Cpu).unwrap();
        let ys = layer.forward(&xs, &Context::training(Seed(0), 0)).unwrap();
        assert_eq!(ys.to_vec2::<f32>().unwrap(), [[0., 0.]]);
    }
}
