//! `Dropout`: units left out at random while training.

use crate::layer::layer;
use crate::{At, Dim, Inferred, Operand, Shape, ShapeError, Text, rules};

layer! {
    /// While training, sets each element to 0 with probability `rate` and scales the others by `1/(1 − rate)`; otherwise
    /// changes nothing (Srivastava et al., 2014).
    Dropout "dropout" {
        /// The share of elements left out, from 0 to below 1.
        rate: f64,
        ;
        /// Which elements go together: 1 for an axis along which they do, and `_` or the axis' size for others. The batch is
        /// not written, so `(1, 1, _)` leaves out whole feature maps of an image.
        noise_shape: Option<Shape> = None,
        /// A seed of its own, beside the model's.
        seed: Option<usize> = None,
    }
}

impl Dropout {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the rate is not at least 0 and below 1, or the shape of the noise is not that of the input with ones in it.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        match rules::one(Self::NAME, inputs) {
            Ok(input) => infer(self.rate, &self.noise_shape, input),
            Err(error) => Err(error),
        }
    }
}

/// The rule of every dropout whose noise may have a shape of its own.
pub(crate) const fn infer(rate: f64, noise_shape: &Option<Shape>, input: &Operand) -> Result<Inferred, ShapeError> {
    if let Err(error) = rules::dropout_rate(rate) {
        return Err(error);
    }
    if let Some(noise) = noise_shape
        && !spreads_to(noise, &input.shape)
    {
        let message = Text::from("noise of shape ").shape(noise).and(" does not spread to `").and(input.name);
        let message = message.and("`, which is ").shape(&input.shape);
        let help = Text::from("give each of its ").num(input.shape.rank()).and(" axes 1, `_` or its size, without the batch");
        return Err(ShapeError::new(At::Argument("noise_shape"), message).help(help));
    }
    Ok(Inferred::shape(input.shape))
}

/// Whether `noise` has the axes of `shape`, each of its size, of size 1, or of whatever size.
const fn spreads_to(noise: &Shape, shape: &Shape) -> bool {
    let mut spreads = noise.rank() == shape.rank();
    let mut axis = 0;
    while spreads && axis < shape.rank() {
        spreads = match (noise.dims()[axis], shape.dims()[axis]) {
            (Dim::Known(1) | Dim::Unknown, _) => true,
            (Dim::Known(noise), Dim::Known(n)) => noise == n,
            (Dim::Known(noise), Dim::Unknown) => noise > 0,
        };
        axis += 1;
    }
    spreads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_inputs_axes() {
        let image = [Operand::new("x", Shape::new([8, 6, 4]))];
        let dropout = |dims: &[Dim]| Dropout::new(0.2).noise_shape(Some(Shape::of(dims))).infer(&image);
        assert!(dropout(&[1.into(), 1.into(), Dim::Unknown]).is_ok());
        assert!(dropout(&[8.into(), 1.into(), 4.into()]).is_ok());
        let error = dropout(&[1.into(), 1.into(), 3.into()]).unwrap_err();
        assert_eq!(error.message.as_str(), "noise of shape 1×1×3 does not spread to `x`, which is 8×6×4");
        assert!(dropout(&[1.into(), 4.into()]).is_err());
    }
}
