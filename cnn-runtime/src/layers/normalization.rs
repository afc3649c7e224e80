//! `Normalization`: every channel with mean 0 and variance 1, by what is known of the data.

use crate::data::Images;
use crate::error::sizes;
use crate::spec::{self, Numbers, Operand, Shape};
use crate::{Context, Error, Weights};
use candle_core::{DType, Device, Result, Tensor, Var};

/// `(x − mean)/√variance` for each channel, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct Normalization {
    /// The mean of each channel.
    pub mean: Var,
    /// The variance of each channel.
    pub variance: Var,
    spec: spec::layers::Normalization,
}

impl Normalization {
    /// The layer for examples of shape `input`, with the mean and variance of its arguments, or else from `weights`.
    ///
    /// # Errors
    /// If the layer does not take that shape, or `weights` lacks a tensor of the right shape.
    pub fn build(spec: spec::layers::Normalization, input: Shape, weights: &Weights) -> Result<Self> {
        let inferred = spec.infer(&[Operand::new("input", input)]).map_err(candle_core::Error::wrap)?;
        let given = |numbers: Numbers| Var::from_slice(numbers.as_slice(), numbers.as_slice().len(), &Device::Cpu);
        let (mean, variance) = match (spec.mean, spec.variance, inferred.parameters.as_slice()) {
            (_, _, [mean, variance]) => (weights.statistic(mean)?, weights.statistic(variance)?),
            (Some(mean), Some(variance), _) => (given(mean)?, given(variance)?),
            _ => unreachable!("the rule gives parameters unless both are given"),
        };
        Ok(Self { mean, variance, spec })
    }

    /// Takes the mean and the variance of each channel of `data` as it comes to this layer, the last axis being the channels.
    ///
    /// A model shares its layers, so that `model.normalization.adapt(&train)?` before training is all that is needed.
    ///
    /// # Errors
    /// If the mean and variance are arguments of the layer, or the data is empty, has other channels, or is not finite.
    pub fn adapt(&self, data: &impl Images) -> crate::Result<()> {
        const BATCH: usize = 256;
        if self.spec.mean.is_some() {
            return Err(Error::Argument("`Normalization` has its mean and variance as arguments; `adapt` finds none".into()));
        }
        let (count, channels) = (data.count(), self.mean.elem_count());
        if count == 0 {
            return Err(Error::Data("`Normalization` cannot adapt to no data".into()));
        }
        let mut moments = Moments::new(channels);
        for start in (0..count).step_by(BATCH) {
            let batch = data.images(start..count.min(start + BATCH), &Device::Cpu)?;
            if batch.dims().last() != Some(&channels) {
                let found = sizes(&batch.dims()[1..]);
                return Err(Error::Mismatch(format!("`Normalization` is for {channels} channels, found examples of {found}")));
            }
            moments.add(&batch.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?);
        }
        if moments.mean.iter().chain(&moments.squares).any(|x| !x.is_finite()) {
            return Err(Error::Data("`Normalization` cannot adapt to data that is not finite".into()));
        }
        let variance = moments.squares.iter().map(|sum| sum / moments.count).collect();
        for (variable, values) in [(&self.mean, moments.mean), (&self.variance, variance)] {
            let values: Vec<f64> = values;
            variable.set(&Tensor::from_vec(values, channels, variable.device())?.to_dtype(variable.dtype())?)?;
        }
        Ok(())
    }

    /// Normalizes `xs`, or undoes it with `invert`.
    ///
    /// # Errors
    /// If `xs` has other channels.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let statistic = |var: &Var| var.as_detached_tensor().to_device(xs.device())?.to_dtype(xs.dtype());
        let mean = statistic(&self.mean)?;
        // As in Keras, a channel that never changes is not divided by 0.
        let deviation = statistic(&self.variance)?.sqrt()?.maximum(1e-7)?;
        match self.spec.invert {
            true => xs.broadcast_mul(&deviation)?.broadcast_add(&mean),
            false => xs.broadcast_sub(&mean)?.broadcast_div(&deviation),
        }
    }
}

/// The mean of each channel and the sum of its squared distances from it, of all values so far (Chan et al., 1979).
struct Moments {
    count: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn new(channels: usize) -> Self {
        Self { count: 0.0, mean: vec![0.0; channels], squares: vec![0.0; channels] }
    }

    /// Adds values whose channels are innermost.
    fn add(&mut self, values: &[f64]) {
        let channels = self.mean.len();
        let count = (values.len() / channels) as f64;
        let all = self.count + count;
        for channel in 0..channels {
            let of_channel = || values.iter().skip(channel).step_by(channels);
            let mean = of_channel().sum::<f64>() / count;
            let squares: f64 = of_channel().map(|x| (x - mean).powi(2)).sum();
            let apart = mean - self.mean[channel];
            self.mean[channel] += apart * count / all;
            self.squares[channel] += squares + apart.powi(2) * self.count * count / all;
        }
        self.count = all;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    fn layer(spec: spec::layers::Normalization) -> Normalization {
        let weights = Weights::fresh(Seed(1), DType::F32, &Device::Cpu);
        Normalization::build(spec, Shape::new([2, 3, 2]), &weights).unwrap()
    }

    #[test]
    fn adapts_to_every_batch_of_the_data() {
        let values: Vec<f32> =
            (0..700 * 12).map(|i| if i % 2 == 0 { (i % 97) as f32 } else { 1e4 + (i / 4000) as f32 }).collect();
        let data = Tensor::from_vec(values.clone(), (700, 2, 3, 2), &Device::Cpu).unwrap();
        let layer = layer(spec::Normalization::new());
        layer.adapt(&data).unwrap();
        let normal = layer.forward(&data, &Context::inference()).unwrap().reshape(((), 2)).unwrap();
        let mean = normal.mean(0).unwrap().to_vec1::<f32>().unwrap();
        let variance = normal.var(0).unwrap().to_vec1::<f32>().unwrap();
        assert!(mean.iter().all(|x| x.abs() < 1e-3) && variance.iter().all(|x| (x - 1.0).abs() < 1e-3), "{mean:?} {variance:?}");
    }

    #[test]
    fn refuses_data_it_cannot_adapt_to() {
        let data = |count: usize, channels: usize| Tensor::ones((count, 2, 3, channels), DType::F32, &Device::Cpu).unwrap();
        let error = |data: &Tensor| layer(spec::Normalization::new()).adapt(data).unwrap_err().to_string();
        assert_eq!(error(&data(0, 2)), "`Normalization` cannot adapt to no data");
        assert_eq!(error(&data(5, 3)), "`Normalization` is for 2 channels, found examples of 2×3×3");
        assert!(error(&(data(5, 2) * f64::NAN).unwrap()).ends_with("not finite"));
        let numbers = Some(Numbers::of(&[1.0]));
        assert!(layer(spec::Normalization::new().mean(numbers).variance(numbers)).adapt(&data(5, 2)).is_err());
    }
}
