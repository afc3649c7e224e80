//! `SpatialDropout1D`: whole feature maps of sequences left out at random while training.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, rules};

layer! {
    /// While training, sets each feature map of `N, L, C` to 0 with probability `rate` and scales the others by
    /// `1/(1 − rate)`; otherwise changes nothing (Tompson et al., 2015).
    SpatialDropout1D "spatial_dropout1d" {
        /// The share of feature maps left out, from 0 to below 1.
        rate: f64,
        ;
        /// A seed of its own, beside the model's.
        seed: Option<usize> = None,
    }
}

impl SpatialDropout1D {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the rate is not at least 0 and below 1, or the input is not of steps, channels.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        match (rules::spatial::<1>(Self::NAME, inputs), rules::dropout_rate(self.rate)) {
            (Ok(input), Ok(())) => Ok(Inferred::shape(input.shape)),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }
}
