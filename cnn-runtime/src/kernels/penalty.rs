//! What a regularizer adds to the training loss.

use super::op::{Unary, apply};
use super::real::Real;
use super::sums::{fold_columns_on_gpu, sharers};
use crate::gpu::{Geometry, Gpu, Kernel, Work, arguments};
use crate::spec::Regularizer;
use candle_core::{DType, Result, Shape, Storage, Tensor};

const FAMILY: &str = "penalty";

/// `l1·Σ|w| + l2·Σw²` of the values of `weights`: a scalar.
///
/// # Errors
/// If the tensor's type is not a float.
pub(crate) fn penalty(weights: &Tensor, regularizer: Regularizer) -> Result<Tensor> {
    apply(weights, Penalty(regularizer))
}

struct Penalty(Regularizer);

/// A regularizer as in `cuda/penalty.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct OnGpu {
    l1: f64,
    l2: f64,
}

// SAFETY: it is numbers of one size, and so are those of `cuda/penalty.cu`.
unsafe impl Geometry for OnGpu {}

impl Penalty {
    fn on_gpu(&self) -> OnGpu {
        OnGpu { l1: self.0.l1, l2: self.0.l2 }
    }
}

impl Unary for Penalty {
    fn name(&self) -> &'static str {
        "regularizer"
    }

    fn shape(&self, _dims: &[usize]) -> Shape {
        ().into()
    }

    fn forward<T: Real>(&self, weights: &[T], _dims: &[usize]) -> Vec<T> {
        let Regularizer { l1, l2 } = self.0;
        let values = weights.iter().map(|weight| weight.wide());
        vec![T::of(values.map(|w| l1 * w.abs() + l2 * w * w).sum::<f64>())]
    }

    /// `l1·sign(w) + 2·l2·w`, where the sign of 0 is 0, times the gradient of the loss.
    fn backward<T: Real>(&self, weights: &[T], _penalty: &[T], grad: &[T], _dims: &[usize]) -> Vec<T> {
        let (l1, l2) = (T::of(self.0.l1), T::of(2.0 * self.0.l2));
        let sign = |w: T| if w == T::zero() { T::zero() } else { w.signum() };
        weights.iter().map(|w| grad[0] * (l1 * sign(*w) + l2 * *w)).collect()
    }

    fn forward_on_gpu(&self, gpu: Gpu, weights: &Tensor) -> Result<Storage> {
        let (count, dtype) = (weights.elem_count(), weights.dtype());
        let sharers = sharers(count, 1);
        let mut sums = gpu.empty(DType::F64, sharers)?;
        let kernel = Kernel::new(FAMILY, "penalties", dtype);
        let regularizer = self.on_gpu();
        let arguments = arguments![&mut sums, weights, count, sharers, &regularizer];
        // SAFETY: it reads `count` values, which there are, and writes one for each of the sharers.
        unsafe { gpu.launch(&kernel, Work::Each(sharers), arguments) }?;
        fold_columns_on_gpu(gpu, &sums, sharers, 1, dtype)
    }

    fn backward_on_gpu(&self, gpu: Gpu, weights: &Tensor, _penalty: &Tensor, grad: &Tensor, _dims: &[usize]) -> Result<Storage> {
        let (count, dtype) = (weights.elem_count(), weights.dtype());
        let mut out = gpu.empty(dtype, count)?;
        let kernel = Kernel::new(FAMILY, "penalty_gradients", dtype);
        let regularizer = self.on_gpu();
        let arguments = arguments![&mut out, weights, grad, count, &regularizer];
        // SAFETY: it reads and writes `count` values, which both have, and reads one of the gradient, of a scalar.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments) }?;
        Ok(out)
    }

    fn reads_output(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn has_its_own_gradient() {
        let weights = Var::new(&[[2f64, -3.], [0., 0.5]], &Device::Cpu).unwrap();
        let loss = penalty(&weights, Regularizer::new(0.1, 0.01)).unwrap();
        assert!((loss.to_scalar::<f64>().unwrap() - (0.55 + 0.1325)).abs() < 1e-12);
        let gradient = loss.backward().unwrap().get(&weights).unwrap().to_vec2::<f64>().unwrap();
        let expected = [[0.14, -0.16], [0.0, 0.11]];
        let close = gradient.iter().flatten().zip(expected.as_flattened()).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(close, "{gradient:?}");
    }

    #[cfg(feature = "emulated-cuda")]
    #[test]
    fn a_gpu_gives_the_same_however_threads_share_the_values() {
        for count in [1, 100, 5000] {
            crate::kernels::op::on_gpu::expect_the_same(&Penalty(Regularizer::new(0.1, 0.01)), &[count]);
        }
    }
}
