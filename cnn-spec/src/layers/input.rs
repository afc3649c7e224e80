//! `Input`: where a tensor enters the network.

use crate::layer::layer;
use crate::{At, Dim, Inferred, Operand, Shape, ShapeError, Text};

layer! {
    /// Where a tensor enters the network: `Input(28, 28, 1)` is an image of one channel, `Input(784)` a vector.
    Input "input" {
        /// The shape of one example, channels last.
        shape: Shape,
        ;
    }
}

impl Input {
    /// The shape that was stated.
    ///
    /// # Errors
    /// If it is applied to a tensor, or if a size is 0.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        if !inputs.is_empty() {
            let message = Text::from("`Input` takes no tensor, found ").num(inputs.len());
            return Err(ShapeError::new(At::Inputs, message).help(Text::from("leave out the second parentheses")));
        }
        let mut axis = 0;
        while axis < self.shape.rank() {
            if let Dim::Known(0) = self.shape.dims()[axis] {
                let message = Text::from("an input's sizes must be at least 1, found ").shape(&self.shape);
                return Err(ShapeError::new(At::Element("shape", axis), message)
                    .help(Text::from("use `1` or more, or `_` for a size known at run time")));
            }
            axis += 1;
        }
        Ok(Inferred::shape(self.shape))
    }
}
