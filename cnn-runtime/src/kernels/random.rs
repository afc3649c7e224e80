//! Random numbers of kernels: a word for each value, which depends neither on who draws it nor on what is drawn before it.

use super::real::Real;
use super::share::for_each;
use crate::gpu::{Geometry, Gpu, Kernel, Work, arguments};
use candle_core::{DType, Result, Storage, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Values that share one stream of random numbers, a word for each; `STREAM` in `cuda/random.cu`.
pub(super) const STREAM: usize = 16 * 1024;

/// Calls `with` with the pieces of `ys` that share a stream, and the random numbers of each, which begin at its first value.
pub(super) fn with_words<T: Real>(ys: &mut [T], random: &ChaCha8Rng, with: impl Fn(&mut [T], &mut ChaCha8Rng) + Sync) {
    for_each(ys.chunks_mut(STREAM).enumerate().collect(), |(stream, ys)| {
        let mut random = random.clone();
        random.set_stream(stream as u64);
        with(ys, &mut random);
    });
}

/// The random numbers from that of value `at` on.
pub(super) fn words_from(at: usize, random: &ChaCha8Rng) -> ChaCha8Rng {
    let mut random = random.clone();
    random.set_stream((at / STREAM) as u64);
    random.set_word_pos((at % STREAM) as u128);
    random
}

/// Two normal numbers of two words (Box & Muller, 1958).
pub(super) fn two_normal<T: Real>(random: &mut ChaCha8Rng) -> [T; 2] {
    let mut word = || T::of(f64::from(random.next_u32()));
    let (first, second) = (word(), word());
    let radius = (T::of(-2.0) * ((first + T::one()) * T::of(0.5f64.powi(32))).ln()).sqrt();
    let (sin, cos) = (second * T::of(std::f64::consts::TAU * 0.5f64.powi(32))).sin_cos();
    [radius * cos, radius * sin]
}

/// What random numbers follow from, as kernels take it.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Key([u32; 8]);

// SAFETY: it is numbers of one size, and so is that of `cuda/random.cu`.
unsafe impl Geometry for Key {}

impl Key {
    /// That of a stream of which nothing has been drawn.
    pub(super) fn of(random: &ChaCha8Rng) -> Self {
        let seed = random.get_seed();
        Self(std::array::from_fn(|word| u32::from_le_bytes(std::array::from_fn(|byte| seed[4 * word + byte]))))
    }
}

pub(super) const FAMILY: &str = "random";

/// What the kernel `name`, with its `settings`, makes of `count` values and their words; of ones without an input.
pub(super) fn on_gpu(
    gpu: Gpu,
    name: &'static str,
    (dtype, count): (DType, usize),
    xs: Option<&Tensor>,
    random: &ChaCha8Rng,
    settings: Settings,
) -> Result<Storage> {
    /// `TILE` in `cuda/random.cu`, whose values share a block.
    const TILE: usize = 4096;
    let (mut ys, key) = (gpu.empty(dtype, count)?, Key::of(random));
    let (kernel, work) = (Kernel::new(FAMILY, name, dtype), Work::Blocks { count: count.div_ceil(TILE), width: TILE });
    // SAFETY: these kernels read as many values as they write, `count`, and have parameters after them as said in `Settings`.
    unsafe {
        match settings {
            Settings::Dropout { threshold, scale } => {
                gpu.launch(&kernel, work, arguments![&mut ys, xs, count, &key, threshold, scale])
            }
            Settings::Noise { deviation } => gpu.launch(&kernel, work, arguments![&mut ys, xs, count, &key, deviation]),
        }
    }?;
    Ok(ys)
}

/// The last parameters of a kernel.
pub(super) enum Settings {
    /// Values whose word is below `threshold` are dropped, the others multiplied by `scale`.
    Dropout { threshold: usize, scale: f64 },
    /// The standard deviation of normal numbers.
    Noise { deviation: f64 },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    #[test]
    fn a_word_is_found_wherever_drawing_begins() {
        let random = Seed(3).stream("noise", 1);
        let mut all = vec![0f64; 2 * STREAM];
        with_words(&mut all, &random, |ys, random| ys.iter_mut().for_each(|y| *y = f64::from(random.next_u32())));
        for at in [0, 1, 63, 64, 1000, STREAM - 1, STREAM, STREAM + 77] {
            assert_eq!(f64::from(words_from(at, &random).next_u32()), all[at], "{at}");
        }
    }

    #[cfg(feature = "emulated-cuda")]
    #[test]
    fn a_gpu_draws_what_the_processor_draws() {
        use super::super::op::Unary;
        let (count, random) = (2 * STREAM + 4097, Seed(5).stream("dropout", 9));
        let xs: Vec<f64> = (0..count).map(|i| 1.0 + (i % 7) as f64).collect();
        fn same(op: impl Unary, xs: &[f64]) {
            let tensor = Tensor::new(xs, &candle_core::Device::Cpu).unwrap();
            let found = op.forward_on_gpu(Gpu::emulated(), &tensor).unwrap();
            let found = crate::gpu::tensor(found, xs.len()).to_vec1::<f64>().unwrap();
            let expected = op.forward(xs, &[xs.len()]);
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12), "{}", op.name());
        }
        same(super::super::dropout::Dropout { rate: 0.3, random: random.clone() }, &xs);
        same(super::super::noise::GaussianNoise { deviation: 0.5, random: random.clone() }, &xs);
        same(super::super::noise::GaussianDropout { deviation: 0.5, random }, &xs);
    }
}
