//! `GaussianDropout`: elements multiplied by normal noise while training.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, rules};

layer! {
    /// While training, multiplies each element by a normal random number of mean 1 and standard deviation
    /// `√(rate/(1 − rate))`, which is that of dropout (Srivastava et al., 2014); otherwise changes nothing. As Keras'
    /// `GaussianDropout`.
    GaussianDropout "gaussian_dropout" {
        /// The rate of the dropout it stands for, from 0 to below 1.
        rate: f64,
        ;
        /// A seed of its own, beside the model's.
        seed: Option<usize> = None,
    }
}

impl GaussianDropout {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the rate is not at least 0 and below 1.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        match (rules::one(Self::NAME, inputs), rules::dropout_rate(self.rate)) {
            (Ok(input), Ok(())) => Ok(Inferred::shape(input.shape)),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }
}
