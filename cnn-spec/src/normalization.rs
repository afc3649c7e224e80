//! What the normalisations share: a learned scale and shift after values have been given mean 0 and variance 1.

use crate::{Initializer, Parameter, Parameters, Regularizer, ShapeError, rules};

/// The learned part of a normalisation: `weight` (Keras' gamma) multiplies, `bias` (beta) is added.
pub(crate) struct Affine {
    pub(crate) center: bool,
    pub(crate) scale: bool,
    pub(crate) beta_initializer: Initializer,
    pub(crate) gamma_initializer: Initializer,
    pub(crate) beta_regularizer: Option<Regularizer>,
    pub(crate) gamma_regularizer: Option<Regularizer>,
}

impl Affine {
    /// The parameters, each of these sizes, under the names PyTorch and candle have for them.
    pub(crate) const fn parameters(&self, sizes: &[usize]) -> Parameters {
        let mut parameters = Parameters::NONE;
        if self.scale {
            let weight = Parameter::of("weight", sizes, self.gamma_initializer);
            parameters = parameters.with(weight.regularized(self.gamma_regularizer));
        }
        if self.center {
            let bias = Parameter::of("bias", sizes, self.beta_initializer);
            parameters = parameters.with(bias.regularized(self.beta_regularizer));
        }
        parameters
    }
}

/// That what is added to a variance before its root is taken is neither negative nor so large that it is a mistake.
pub(crate) const fn epsilon(epsilon: f64) -> Result<(), ShapeError> {
    rules::within("epsilon", epsilon, [0.0, 1e6], "a small positive number", "0.001")
}
