//! `LocalResponseNormalization`: channels that are strong together are damped, as in AlexNet.

use crate::layer::layer;
use crate::{At, Inferred, Operand, ShapeError, Text, rules};

layer! {
    /// Local response normalisation (Krizhevsky et al., 2012) as PyTorch's `LocalResponseNorm`: each value is divided by
    /// `(k + alpha/size·Σ x²)^beta`, where the sum is over `size` neighbouring channels of the same position.
    ///
    /// AlexNet's is `LocalResponseNormalization(5, alpha=0.0005, k=2.0)`: its paper does not divide the 0.0001 it has for
    /// `alpha` by the size.
    LocalResponseNormalization "local_response_normalization" {
        /// The number of channels in the sum; with an even number, one more before the channel than after it.
        size: usize,
        ;
        /// The factor of the mean square.
        alpha: f64 = 1e-4,
        /// The exponent.
        beta: f64 = 0.75,
        /// What is added to the mean square.
        k: f64 = 1.0,
    }
}

impl LocalResponseNormalization {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the size is 0, or a number is out of its range.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        if let Err(error) = rules::size("size", self.size) {
            return Err(error);
        }
        if let Err(error) = rules::within("alpha", self.alpha, [0.0, f64::MAX], "0 or more", "0.0001") {
            return Err(error);
        }
        if let Err(error) = rules::within("beta", self.beta, [0.0, f64::MAX], "0 or more", "0.75") {
            return Err(error);
        }
        if self.k > 0.0 && self.k <= f64::MAX {
            return Ok(Inferred::shape(input.shape));
        }
        let message = Text::from("`k` must be above 0, as it alone divides where all neighbours are 0");
        Err(ShapeError::new(At::Argument("k"), message).help(Text::from("use `k=1.0` or `k=2.0`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn keeps_the_shape_and_checks_its_numbers() {
        let image = [Operand::new("x", Shape::new([8, 6, 4]))];
        let layer = LocalResponseNormalization::new(5);
        assert_eq!(layer.infer(&image).unwrap().shape, image[0].shape);
        for broken in [LocalResponseNormalization::new(0), layer.alpha(-1.0), layer.beta(f64::NAN), layer.k(0.0)] {
            assert!(broken.infer(&image).is_err(), "{broken:?}");
        }
    }
}
