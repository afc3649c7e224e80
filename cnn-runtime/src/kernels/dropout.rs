//! Dropout: a mask that is drawn, never stored.

use super::activation::{SELU_ALPHA, SELU_SCALE};
use super::fill::{CHUNK, in_chunks};
use super::op::{Unary, apply};
use super::random::{FAMILY, Settings, on_gpu, with_words};
use super::real::Real;
use super::simd::simd;
use crate::gpu::{Geometry, Gpu, Kernel, Work, arguments};
use candle_core::{DType, Result, Storage, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Sets each element to 0 with probability `rate` and scales the others by `1/(1 − rate)`.
pub(crate) fn dropout(xs: &Tensor, rate: f64, random: ChaCha8Rng) -> Result<Tensor> {
    apply(xs, Dropout { rate, random })
}

/// Drops elements together: those that differ only in their place along an axis whose size in `mask` is 1.
///
/// # Errors
/// If the mask does not spread to `xs`, the batch counted.
pub(crate) fn dropout_together(xs: &Tensor, rate: f64, mask: &[usize], random: ChaCha8Rng) -> Result<Tensor> {
    let spreads = mask.len() == xs.rank() && mask.iter().zip(xs.dims()).all(|(own, size)| *own == 1 || own == size);
    if !spreads {
        candle_core::bail!("a mask {mask:?} does not spread to a batch {:?}", xs.dims());
    }
    apply(xs, DropoutTogether { dropout: Dropout { rate, random }, mask: mask.to_vec() })
}

/// Sets each element with probability `rate` to the least value of `selu`, then scales and shifts all of them so that a mean
/// of 0 and a variance of 1 stay; elements go together as in [`dropout_together`].
///
/// # Errors
/// If the mask does not spread to `xs`, the batch counted.
pub(crate) fn alpha_dropout(xs: &Tensor, rate: f64, mask: &[usize], random: ChaCha8Rng) -> Result<Tensor> {
    let least = -SELU_ALPHA * SELU_SCALE;
    let scale = ((1.0 - rate) * (1.0 + rate * least * least)).sqrt().recip();
    let shift = -scale * least * rate;
    // Where an element is kept this is 1/(1 − rate), else 0.
    let kept = dropout_together(&xs.detach().ones_like()?, rate, mask, random)?;
    let factors = kept.affine(scale * (1.0 - rate), 0.0)?;
    let shifts = kept.affine(-scale * least * (1.0 - rate), scale * least + shift)?;
    (xs * factors)? + shifts
}

pub(super) struct Dropout {
    pub(super) rate: f64,
    pub(super) random: ChaCha8Rng,
}

impl Dropout {
    /// Elements whose random word is below this are dropped.
    fn threshold(&self) -> u32 {
        (self.rate * 2f64.powi(32)) as u32
    }

    /// `xs`, or `count` ones, without what is dropped.
    fn kept_on_gpu(&self, gpu: Gpu, dtype: DType, count: usize, xs: Option<&Tensor>) -> Result<Storage> {
        let settings = Settings::Dropout { threshold: self.threshold() as usize, scale: 1.0 / (1.0 - self.rate) };
        on_gpu(gpu, "dropout", (dtype, count), xs, &self.random, settings)
    }
}

impl Unary for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn forward<T: Real>(&self, xs: &[T], _dims: &[usize]) -> Vec<T> {
        let (threshold, scale) = (self.threshold(), T::of(1.0 / (1.0 - self.rate)));
        let mut ys = xs.to_vec();
        with_words(&mut ys, &self.random, |ys, random| {
            for y in ys {
                *y = if random.next_u32() < threshold { T::zero() } else { *y * scale };
            }
        });
        ys
    }

    /// The same mask, drawn again.
    fn backward<T: Real>(&self, _xs: &[T], _ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        self.forward(grad, dims)
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        self.kept_on_gpu(gpu, xs.dtype(), xs.elem_count(), Some(xs))
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

simd! {
    /// Writes the products of a row with its factors, or with one factor.
    fn multiply_row<T: Real>(factors: &[T], xs: &[T], ys: &mut [T]) {
        match factors {
            [factor] => {
                for (y, x) in ys.iter_mut().zip(xs) {
                    *y = *x * *factor;
                }
            }
            factors => {
                for ((y, x), factor) in ys.iter_mut().zip(xs).zip(factors) {
                    *y = *x * *factor;
                }
            }
        }
    }
}

struct DropoutTogether {
    dropout: Dropout,
    mask: Vec<usize>,
}

impl Unary for DropoutTogether {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn forward<T: Real>(&self, xs: &[T], dims: &[usize]) -> Vec<T> {
        let factors = self.dropout.forward(&vec![T::one(); self.mask.iter().product()], &self.mask);
        let (Some((width, rows)), Some((own_width, own_rows))) = (dims.split_last(), self.mask.split_last()) else {
            return xs.iter().zip(factors).map(|(x, factor)| *x * factor).collect();
        };
        let (width, at_once) = (*width, (CHUNK / (*width).max(1)).max(1));
        in_chunks(xs.len(), at_once * width, |number, ys| {
            let first = number * at_once;
            for (row, (ys, xs)) in ys.chunks_mut(width).zip(xs[first * width..].chunks(width)).enumerate() {
                let factors = &factors[own_row(first + row, rows, own_rows) * own_width..][..*own_width];
                multiply_row(factors, xs, ys);
            }
        })
    }

    /// The same mask, drawn again.
    fn backward<T: Real>(&self, _xs: &[T], _ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        self.forward(grad, dims)
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        let factors = self.dropout.kept_on_gpu(gpu, xs.dtype(), self.mask.iter().product(), None)?;
        let (count, axes) = (xs.elem_count(), Axes::of(xs.dims(), &self.mask)?);
        let mut ys = gpu.empty(xs.dtype(), count)?;
        let kernel = Kernel::new(FAMILY, "masked", xs.dtype());
        // SAFETY: it reads and writes `count` values, each with a factor of a mask that spreads to them.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut ys, xs, &factors, count, &axes]) }?;
        Ok(ys)
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

/// The axes of a tensor beside those of a mask; those that go the same way are one.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Axes {
    rank: i64,
    sizes: [i64; 8],
    /// How far apart in the mask neighbours along each axis are, 0 if they are dropped together.
    steps: [i64; 8],
}

// SAFETY: it is numbers of one size, and so is that of `cuda/random.cu`.
unsafe impl Geometry for Axes {}

impl Axes {
    fn of(dims: &[usize], mask: &[usize]) -> Result<Self> {
        let mut runs: Vec<(i64, bool)> = Vec::new();
        for (size, own) in dims.iter().zip(mask).filter(|(size, _)| **size != 1) {
            let (size, is_apart) = (*size as i64, own == size);
            match runs.last_mut() {
                Some((run, of_run)) if *of_run == is_apart => *run *= size,
                _ => runs.push((size, is_apart)),
            }
        }
        let mut axes = Self { rank: runs.len() as i64, sizes: [1; 8], steps: [0; 8] };
        if runs.len() > axes.sizes.len() {
            candle_core::bail!("`dropout` drops together along at most {} axes", axes.sizes.len());
        }
        let mut step = 1;
        for (axis, (size, is_apart)) in runs.into_iter().enumerate().rev() {
            axes.sizes[axis] = size;
            if is_apart {
                axes.steps[axis] = step;
                step *= size;
            }
        }
        Ok(axes)
    }
}

/// The row of a mask of axes `own` that belongs to `row` of a tensor of axes `dims`, both without their last.
fn own_row(row: usize, dims: &[usize], own: &[usize]) -> usize {
    let (mut rest, mut step, mut place) = (row, 1, 0);
    for (size, own) in dims.iter().zip(own).rev() {
        if own == size {
            place += rest % size * step;
        }
        rest /= size;
        step *= own;
    }
    place
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

    #[test]
    fn feature_maps_are_dropped_whole() {
        let ones = Tensor::ones((8, 5, 3, 4), DType::F32, &Device::Cpu).unwrap();
        let ys = dropout_together(&ones, 0.5, &[8, 1, 1, 4], Seed(1).stream("dropout", 0)).unwrap();
        let maps = ys.permute((0, 3, 1, 2)).unwrap().reshape((32, 15)).unwrap().to_vec2::<f32>().unwrap();
        assert!(maps.iter().all(|map| map.iter().all(|y| *y == map[0])), "{maps:?}");
        let dropped = maps.iter().filter(|map| map[0] == 0.0).count();
        assert!((4..28).contains(&dropped) && maps.iter().all(|map| map[0] == 0.0 || map[0] == 2.0), "{maps:?}");
        assert!(dropout_together(&ones, 0.5, &[8, 2, 1, 4], Seed(1).stream("dropout", 0)).is_err());
    }

    #[test]
    fn alpha_dropout_keeps_mean_and_variance() {
        let xs = Tensor::from_vec((0..100_000).map(|i| f64::from(i % 2) * 2.0 - 1.0).collect(), 100_000, &Device::Cpu).unwrap();
        let xs = Var::from_tensor(&xs).unwrap();
        let ys = alpha_dropout(&xs, 0.2, &[100_000], Seed(1).stream("dropout", 0)).unwrap();
        let values = ys.to_vec1::<f64>().unwrap();
        let mean = values.iter().sum::<f64>() / 1e5;
        let variance = values.iter().map(|y| y * y).sum::<f64>() / 1e5 - mean * mean;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
        let gradient = ys.sum_all().unwrap().backward().unwrap().get(&xs).unwrap().to_vec1::<f64>().unwrap();
        let dropped = gradient.iter().filter(|g| **g == 0.0).count() as f64 / 1e5;
        assert!((dropped - 0.2).abs() < 0.006, "dropped {dropped}");
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let (alpha, rate): (f64, f64) = (-1.758_099_340_847_376_6, 0.2);
        let scale = ((1.0 - rate) * (1.0 + rate * alpha * alpha)).powf(-0.5);
        assert!((least - (scale * alpha - scale * alpha * rate)).abs() < 1e-12, "{least}");
    }

    #[test]
    fn axes_that_go_the_same_way_are_one() {
        let axes = Axes::of(&[2, 5, 3, 4], &[2, 1, 1, 4]).unwrap();
        assert_eq!((axes.rank, axes.sizes, axes.steps), (3, [2, 15, 4, 1, 1, 1, 1, 1], [4, 0, 1, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn rows_of_a_mask_follow_its_axes() {
        assert_eq!(
            (0..12).map(|row| own_row(row, &[2, 3, 2], &[2, 1, 2])).collect::<Vec<_>>(),
            [0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3]
        );
    }
}
