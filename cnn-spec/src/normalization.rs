//! What the normalisations share: a learned scale and shift after values have been given mean 0 and variance 1.

use crate::{At, Axes, Constraint, Initializer, Operand, Parameter, Parameters, Regularizer, Shape, ShapeError, Text, rules};

/// The learned part of a normalisation: `weight` (Keras' gamma) multiplies, `bias` (beta) is added.
pub(crate) struct Affine {
    pub(crate) center: bool,
    pub(crate) scale: bool,
    pub(crate) beta_initializer: Initializer,
    pub(crate) gamma_initializer: Initializer,
    pub(crate) beta_regularizer: Option<Regularizer>,
    pub(crate) gamma_regularizer: Option<Regularizer>,
    pub(crate) beta_constraint: Option<Constraint>,
    pub(crate) gamma_constraint: Option<Constraint>,
}

impl Affine {
    /// The parameters, each of these sizes, under the names PyTorch and candle have for them.
    pub(crate) const fn parameters(&self, sizes: &[usize]) -> Parameters {
        let mut parameters = Parameters::NONE;
        if self.scale {
            let weight = Parameter::of("weight", sizes, self.gamma_initializer);
            let weight = weight.regularized(self.gamma_regularizer);
            parameters = parameters.with(weight.constrained("gamma_constraint", self.gamma_constraint));
        }
        if self.center {
            let bias = Parameter::of("bias", sizes, self.beta_initializer);
            let bias = bias.regularized(self.beta_regularizer);
            parameters = parameters.with(bias.constrained("beta_constraint", self.beta_constraint));
        }
        parameters
    }
}

/// That what is added to a variance before its root is taken is neither negative nor so large that it is a mistake.
pub(crate) const fn epsilon(epsilon: f64) -> Result<(), ShapeError> {
    rules::within("epsilon", epsilon, [0.0, 1e6], "a small positive number", "0.001")
}

/// Which axes of an example of `input` are normalised together; there is at least one.
pub(crate) const fn together(layer: &str, axes: &Axes, input: &Operand) -> Result<[bool; Shape::MAX_RANK], ShapeError> {
    if axes.as_slice().is_empty() {
        let message = Text::from("`").and(layer).and("` needs an axis to normalise along");
        return Err(ShapeError::new(At::Argument("axis"), message).help(Text::from("leave `axis` out for the last one")));
    }
    axes.of("axis", input)
}

/// Whether these are the last axis alone, so that each position of an image is normalised by itself.
pub(crate) const fn is_pointwise(is_among: &[bool; Shape::MAX_RANK], input: &Operand) -> bool {
    let rank = input.shape.rank();
    let mut axis = 0;
    while axis + 1 < rank {
        if is_among[axis] {
            return false;
        }
        axis += 1;
    }
    rank > 1
}
