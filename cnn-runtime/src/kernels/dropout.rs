//! Dropout: a mask that is drawn, never stored.

use super::op::{Unary, apply};
use super::real::Real;
use candle_core::{Result, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Sets each element to 0 with probability `rate` and scales the others by `1/(1 − rate)`.
pub(crate) fn dropout(xs: &Tensor, rate: f64, random: ChaCha8Rng) -> Result<Tensor> {
    apply(xs, Dropout { rate, random })
}

struct Dropout {
    rate: f64,
    random: ChaCha8Rng,
}

/// Elements that share one stream of random numbers, so that the mask does not depend on who draws it.
const CHUNK: usize = 16 * 1024;

impl Unary for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn forward<T: Real>(&self, xs: &[T], _dims: &[usize]) -> Vec<T> {
        let threshold = (self.rate * 2f64.powi(32)) as u32;
        let scale = T::of(1.0 / (1.0 - self.rate));
        let mut ys = vec![T::zero(); xs.len()];
        ys.par_chunks_mut(CHUNK).zip(xs.par_chunks(CHUNK)).enumerate().for_each(|(chunk, (ys, xs))| {
            let mut random = self.random.clone();
            random.set_stream(chunk as u64);
            for (y, x) in ys.iter_mut().zip(xs) {
                *y = if random.next_u32() < threshold { T::zero() } else { *x * scale };
            }
        });
        ys
    }

    /// The same mask, drawn again.
    fn backward<T: Real>(&self, _xs: &[T], _ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        self.forward(grad, dims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use candle_core::{DType, Device, Var};

    #[test]
    fn drops_the_stated_share_and_keeps_the_mean() {
        let ones = Tensor::ones(100_000, DType::F32, &Device::Cpu).unwrap();
        let ys: Vec<f32> = dropout(&ones, 0.3, Seed(1).stream("dropout", 0)).unwrap().to_vec1().unwrap();
        let dropped = ys.iter().filter(|y| **y == 0.0).count() as f64 / 1e5;
        assert!((dropped - 0.3).abs() < 0.006, "dropped {dropped}");
        assert!(ys.iter().all(|y| *y == 0.0 || (*y - 1.0 / 0.7).abs() < 1e-6));
    }

    #[test]
    fn the_gradient_has_the_mask_of_the_forward_pass() {
        let xs = Var::ones(40_000, DType::F64, &Device::Cpu).unwrap();
        let ys = dropout(&xs, 0.5, Seed(2).stream("dropout", 7)).unwrap();
        let grads = ys.sum_all().unwrap().backward().unwrap();
        assert_eq!(grads.get(&xs).unwrap().to_vec1::<f64>().unwrap(), ys.to_vec1::<f64>().unwrap());
    }
}
