//! Normal noise: drawn, added, and never stored.

use super::op::{Unary, apply};
use super::real::Real;
use candle_core::{Result, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Adds to each element a normal random number of mean 0 and this standard deviation.
///
/// # Errors
/// If the tensor's type is not a float.
pub(crate) fn gaussian_noise(xs: &Tensor, deviation: f64, random: ChaCha8Rng) -> Result<Tensor> {
    apply(xs, GaussianNoise { deviation, random })
}

struct GaussianNoise {
    deviation: f64,
    random: ChaCha8Rng,
}

/// Elements that share one stream of random numbers, so that the noise does not depend on who draws it.
const CHUNK: usize = 16 * 1024;

impl Unary for GaussianNoise {
    fn name(&self) -> &'static str {
        "GaussianNoise"
    }

    fn forward<T: Real>(&self, xs: &[T], _dims: &[usize]) -> Vec<T> {
        let mut ys = xs.to_vec();
        ys.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, ys)| {
            let mut random = self.random.clone();
            random.set_stream(chunk as u64);
            let normal = |random: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(random) };
            ys.iter_mut().for_each(|y| *y += T::of(self.deviation * normal(&mut random)));
        });
        ys
    }

    fn backward<T: Real>(&self, _xs: &[T], _ys: &[T], grad: &[T], _dims: &[usize]) -> Vec<T> {
        grad.to_vec()
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
}
