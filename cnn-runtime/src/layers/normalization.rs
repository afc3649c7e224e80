//! `Normalization`: every channel, or every position along other axes, with mean 0 and variance 1, by what is known of the data.

use crate::data::Images;
use crate::error::sizes;
use crate::spec::{self, Dim, Numbers, Operand, Shape};
use crate::{Context, Error, Weights};
use candle_core::{DType, Device, Result, Tensor, Var};

/// `(x − mean)/√variance` for each position along its axes, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct Normalization {
    /// The mean of each position along the axes: of the channels, `C`, unless other axes are given.
    pub mean: Var,
    /// The variance of each position along the axes.
    pub variance: Var,
    spec: spec::layers::Normalization,
    /// An example's size along each axis that keeps its own mean and variance, and [`Dim::Unknown`] along every other.
    kept: Shape,
}

impl Normalization {
    /// The layer for examples of shape `input`, with the mean and variance of its arguments, or else from `weights`.
    ///
    /// # Errors
    /// If the layer does not take that shape, or `weights` lacks a tensor of the right shape.
    pub fn build(spec: spec::layers::Normalization, input: Shape, weights: &Weights) -> Result<Self> {
        let operand = Operand::new("input", input);
        let inferred = spec.infer(&[operand]).map_err(candle_core::Error::wrap)?;
        let is_kept = spec.axis.of("axis", &operand).map_err(candle_core::Error::wrap)?;
        let size = |(dim, is_kept): (&Dim, bool)| if is_kept { *dim } else { Dim::Unknown };
        let kept = Shape::of(&input.dims().iter().zip(is_kept).map(size).collect::<Vec<_>>());
        let given = |numbers: Numbers| Var::from_slice(numbers.as_slice(), numbers.as_slice().len(), weights.device());
        let (mean, variance) = match (spec.mean, spec.variance, inferred.parameters.as_slice()) {
            (_, _, [mean, variance]) => (weights.statistic(mean)?, weights.statistic(variance)?),
            (Some(mean), Some(variance), _) => (given(mean)?, given(variance)?),
            _ => unreachable!("the rule gives parameters unless both are given"),
        };
        Ok(Self { mean, variance, spec, kept })
    }

    /// Takes the mean and the variance of each position along the axes of `data` as it comes to this layer.
    ///
    /// A model shares its layers, so that `model.normalization.adapt(&train)?` before training is all that is needed.
    ///
    /// # Errors
    /// If the mean and variance are arguments of the layer, or the data is empty, has other sizes along the axes, or is not
    /// finite.
    pub fn adapt(&self, data: &impl Images) -> crate::Result<()> {
        const BATCH: usize = 256;
        if self.spec.mean.is_some() {
            return Err(Error::Argument("`Normalization` has its mean and variance as arguments; `adapt` finds none".into()));
        }
        let count = data.count();
        if count == 0 {
            return Err(Error::Data("`Normalization` cannot adapt to no data".into()));
        }
        let mut moments = Moments::new(self.mean.elem_count());
        for start in (0..count).step_by(BATCH) {
            let batch = data.images(start..count.min(start + BATCH), &Device::Cpu)?;
            if !self.takes(&batch.dims()[1..]) {
                let (expected, found) = (self.kept, sizes(&batch.dims()[1..]));
                return Err(Error::Mismatch(format!("`Normalization` is for examples of {expected}, found {found}")));
            }
            moments.add(&self.kept_innermost(&batch)?.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?);
        }
        if moments.mean.iter().chain(&moments.squares).any(|x| !x.is_finite()) {
            return Err(Error::Data("`Normalization` cannot adapt to data that is not finite".into()));
        }
        let variance = moments.squares.iter().map(|sum| sum / moments.count).collect();
        for (variable, values) in [(&self.mean, moments.mean), (&self.variance, variance)] {
            let values: Vec<f64> = values;
            variable.set(&Tensor::from_vec(values, variable.shape(), variable.device())?.to_dtype(variable.dtype())?)?;
        }
        Ok(())
    }

    /// Whether examples of these sizes have those of the axes.
    fn takes(&self, sizes: &[usize]) -> bool {
        let agrees = |(kept, size): (&Dim, &usize)| kept.admits(*size);
        sizes.len() == self.kept.rank() && self.kept.dims().iter().zip(sizes).all(agrees)
    }

    /// `batch` with the axes that keep their own mean and variance last.
    fn kept_innermost(&self, batch: &Tensor) -> Result<Tensor> {
        let is_kept = |axis: &usize| *axis > 0 && self.kept.dims()[axis - 1].known().is_some();
        let (kept, rest): (Vec<usize>, Vec<usize>) = (0..batch.rank()).partition(is_kept);
        batch.permute([rest, kept].concat())
    }

    /// Normalizes `xs`, or undoes it with `invert`.
    ///
    /// # Errors
    /// If `xs` has other sizes along the axes.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let mean = self.beside(&self.mean, xs)?;
        // As in Keras, what never changes is not divided by 0.
        let deviation = self.beside(&self.variance, xs)?.sqrt()?.maximum(1e-7)?;
        match self.spec.invert {
            true => xs.broadcast_mul(&deviation)?.broadcast_add(&mean),
            false => xs.broadcast_sub(&mean)?.broadcast_div(&deviation),
        }
    }

    /// A statistic in the shape in which it is broadcast to `xs`: 1 along every axis that has none of its own.
    fn beside(&self, statistic: &Var, xs: &Tensor) -> Result<Tensor> {
        let is_one = statistic.elem_count() == 1;
        let size = |dim: &Dim| if is_one { 1 } else { dim.known().unwrap_or(1) };
        let shape: Vec<usize> = self.kept.dims().iter().map(size).collect();
        statistic.as_detached_tensor().reshape(shape)?.to_device(xs.device())?.to_dtype(xs.dtype())
    }
}

/// The mean of each position along the axes and the sum of its squared distances from it, of all values so far (Chan et al., 1979).
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
    use crate::spec::Axes;

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
        assert_eq!(error(&data(5, 3)), "`Normalization` is for examples of _×_×2, found 2×3×3");
        assert!(error(&(data(5, 2) * f64::NAN).unwrap()).ends_with("not finite"));
        let numbers = Some(Numbers::of(&[1.0]));
        assert!(layer(spec::Normalization::new().mean(numbers).variance(numbers)).adapt(&data(5, 2)).is_err());
    }

    #[test]
    fn adapts_along_any_axes() {
        let values: Vec<f32> = (0..300 * 12).map(|i| ((i * i) % 101) as f32 * (1 + i % 12) as f32).collect();
        let data = Tensor::from_vec(values, (300, 2, 3, 2), &Device::Cpu).unwrap();
        for (axes, kept) in [(Axes::NONE, vec![]), (Axes::new([1]), vec![1]), (Axes::new([3, 1]), vec![1, 3])] {
            let layer = layer(spec::Normalization::new().axis(axes));
            layer.adapt(&data).unwrap();
            assert_eq!(layer.mean.rank(), kept.len());
            let normal = layer.forward(&data, &Context::inference()).unwrap().to_dtype(DType::F64).unwrap();
            for (axis, size) in [2, 3, 2].into_iter().enumerate() {
                let other =
                    |position| normal.narrow(axis + 1, position, 1).unwrap().mean_all().unwrap().to_scalar::<f64>().unwrap();
                let is_normal = (0..size).all(|position| other(position).abs() < 1e-4);
                assert_eq!(is_normal, kept.contains(&(axis + 1)), "axis {} of {axes:?}", axis + 1);
            }
            assert!(normal.mean_all().unwrap().to_scalar::<f64>().unwrap().abs() < 1e-4);
        }
    }
}
