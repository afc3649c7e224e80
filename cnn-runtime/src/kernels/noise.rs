//! Normal noise: drawn, added or multiplied with, and never stored.

use super::op::{Unary, apply};
use super::random::{Settings, on_gpu, two_normal, with_words};
use super::real::Real;
use crate::gpu::Gpu;
use candle_core::{Result, Storage, Tensor};
use rand_chacha::ChaCha8Rng;

/// Adds to each element a normal random number of mean 0 and this standard deviation.
///
/// # Errors
/// If the tensor's type is not a float.
pub(crate) fn gaussian_noise(xs: &Tensor, deviation: f64, random: ChaCha8Rng) -> Result<Tensor> {
    apply(xs, GaussianNoise { deviation, random })
}

/// Multiplies each element by a normal random number of mean 1 and this standard deviation.
///
/// # Errors
/// If the tensor's type is not a float.
pub(crate) fn gaussian_dropout(xs: &Tensor, deviation: f64, random: ChaCha8Rng) -> Result<Tensor> {
    apply(xs, GaussianDropout { deviation, random })
}

pub(super) struct GaussianNoise {
    pub(super) deviation: f64,
    pub(super) random: ChaCha8Rng,
}

/// What `function` makes of each element and a normal random number.
fn with_normal<T: Real>(xs: &[T], random: &ChaCha8Rng, function: impl Fn(T, T) -> T + Sync) -> Vec<T> {
    let mut ys = xs.to_vec();
    with_words(&mut ys, random, |ys, random| {
        for pair in ys.chunks_mut(2) {
            pair.iter_mut().zip(two_normal(random)).for_each(|(y, normal)| *y = function(*y, normal));
        }
    });
    ys
}

impl Unary for GaussianNoise {
    fn name(&self) -> &'static str {
        "GaussianNoise"
    }

    fn forward<T: Real>(&self, xs: &[T], _dims: &[usize]) -> Vec<T> {
        with_normal(xs, &self.random, |x, normal| x + T::of(self.deviation) * normal)
    }

    fn backward<T: Real>(&self, _xs: &[T], _ys: &[T], grad: &[T], _dims: &[usize]) -> Vec<T> {
        grad.to_vec()
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        let (of, settings) = ((xs.dtype(), xs.elem_count()), Settings::Noise { deviation: self.deviation });
        on_gpu(gpu, "gaussian_noise", of, Some(xs), &self.random, settings)
    }

    fn backward_on_gpu(&self, _gpu: Gpu, _xs: &Tensor, _ys: &Tensor, grad: &Tensor, _dims: &[usize]) -> Result<Storage> {
        let (storage, layout) = grad.storage_and_layout();
        storage.try_clone(layout)
    }

    fn reads_input(&self) -> bool {
        false
    }

    fn reads_output(&self) -> bool {
        false
    }
}

pub(super) struct GaussianDropout {
    pub(super) deviation: f64,
    pub(super) random: ChaCha8Rng,
}

impl Unary for GaussianDropout {
    fn name(&self) -> &'static str {
        "GaussianDropout"
    }

    fn forward<T: Real>(&self, xs: &[T], _dims: &[usize]) -> Vec<T> {
        with_normal(xs, &self.random, |x, normal| x * (T::one() + T::of(self.deviation) * normal))
    }

    /// The same noise, drawn again.
    fn backward<T: Real>(&self, _xs: &[T], _ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        self.forward(grad, dims)
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        let (of, settings) = ((xs.dtype(), xs.elem_count()), Settings::Noise { deviation: self.deviation });
        on_gpu(gpu, "gaussian_dropout", of, Some(xs), &self.random, settings)
    }

    fn backward_on_gpu(&self, gpu: Gpu, _xs: &Tensor, _ys: &Tensor, grad: &Tensor, _dims: &[usize]) -> Result<Storage> {
        self.forward_on_gpu(gpu, grad)
    }

    fn reads_input(&self) -> bool {
        false
    }

    fn reads_output(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use candle_core::{DType, Device};

    #[test]
    fn has_the_stated_deviation_and_no_mean() {
        let ones = Tensor::ones(100_000, DType::F32, &Device::Cpu).unwrap();
        let draw = |seed| gaussian_noise(&ones, 0.2, Seed(seed).stream("noise", 0)).unwrap().to_vec1::<f32>().unwrap();
        let noise: Vec<f64> = draw(1).into_iter().map(|y| f64::from(y) - 1.0).collect();
        let mean = noise.iter().sum::<f64>() / 1e5;
        let deviation = (noise.iter().map(|x| x * x).sum::<f64>() / 1e5).sqrt();
        assert!(mean.abs() < 0.003 && (deviation - 0.2).abs() < 0.003, "mean {mean}, deviation {deviation}");
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
    #[test]
    fn is_the_same_in_the_gradient_where_it_multiplies() {
        let xs = candle_core::Var::from_tensor(&Tensor::full(2f64, 100_000, &Device::Cpu).unwrap()).unwrap();
        let ys = gaussian_dropout(&xs, 0.5, Seed(1).stream("noise", 0)).unwrap();
        let gradient = ys.sum_all().unwrap().backward().unwrap().get(&xs).unwrap().to_vec1::<f64>().unwrap();
        let values = ys.to_vec1::<f64>().unwrap();
        assert!(values.iter().zip(&gradient).all(|(y, g)| *y == 2.0 * g));
        let mean = gradient.iter().sum::<f64>() / 1e5;
        let deviation = (gradient.iter().map(|g| (g - 1.0).powi(2)).sum::<f64>() / 1e5).sqrt();
        assert!((mean - 1.0).abs() < 0.005 && (deviation - 0.5).abs() < 0.005, "mean {mean}, deviation {deviation}");
    }
}
