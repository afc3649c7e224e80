//! Metrics: what is measured of predictions besides the loss.

use super::late::accuracy;
use crate::gpu::Gpu;
use candle_core::{D, DType, Result, Tensor};

/// What is measured of predictions besides the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Metric {
    /// The share of examples whose most probable class is the true one.
    Accuracy,
}

impl Metric {
    /// Its name in histories and logs, such as `accuracy`.
    pub const fn name(self) -> &'static str {
        match self {
            Metric::Accuracy => "accuracy",
        }
    }

    /// Its mean over a batch: `predictions` are `N, …, K`, probabilities or
    /// logits; `labels` are `N, …` of u32.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn compute(self, predictions: &Tensor, labels: &Tensor) -> Result<f64> {
        match self {
            Metric::Accuracy => {
                let hits = predictions.argmax(D::Minus1)?.eq(labels)?.to_dtype(DType::F64)?;
                hits.mean_all()?.to_scalar()
            }
        }
    }

    /// Its sum over a batch, a scalar on the GPU where the predictions are, which nothing waits for.
    pub(super) fn on_gpu(self, predictions: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let Some(gpu) = Gpu::of(predictions.device()) else { candle_core::bail!("only a GPU's metrics are read late") };
        match self {
            Metric::Accuracy => accuracy(gpu, predictions, labels),
        }
    }
}

/// The running mean of a named value over the examples seen so far.
#[derive(Clone, Debug)]
pub(super) struct Mean {
    pub name: &'static str,
    sum: f64,
    examples: usize,
}

impl Mean {
    pub fn of(name: &'static str) -> Self {
        Self { name, sum: 0., examples: 0 }
    }

    /// Adds a batch of so many examples whose mean is `value`.
    pub fn add(&mut self, value: f64, examples: usize) {
        self.sum += value * examples as f64;
        self.examples += examples;
    }

    pub fn value(&self) -> f64 {
        self.sum / self.examples as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn accuracy_counts_the_largest() -> Result<()> {
        let predictions = Tensor::new(&[[0.1f32, 0.9], [0.8, 0.2], [-3., -4.], [0.4, 0.6]], &Device::Cpu)?;
        let labels = Tensor::new(&[1u32, 0, 1, 1], &Device::Cpu)?;
        assert_eq!(Metric::Accuracy.compute(&predictions, &labels)?, 0.75);
        Ok(())
    }

    #[test]
    fn means_weigh_batches_by_their_size() {
        let mut mean = Mean::of("loss");
        mean.add(1., 32);
        mean.add(4., 16);
        assert_eq!(mean.value(), 2.);
    }
}
