//! What a regularizer adds to the training loss.

use super::op::{Unary, apply};
use super::real::Real;
use crate::spec::Regularizer;
use candle_core::{Result, Shape, Tensor};

/// `l1·Σ|w| + l2·Σw²` of the values of `weights`: a scalar.
///
/// # Errors
/// If the tensor's type is not a float.
pub(crate) fn penalty(weights: &Tensor, regularizer: Regularizer) -> Result<Tensor> {
    apply(weights, Penalty(regularizer))
}

struct Penalty(Regularizer);

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
}
