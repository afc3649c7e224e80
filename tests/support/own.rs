//! A layer of one's own, for models that need one.

use cnn_runtime::layers::CustomLayer;
use cnn_runtime::spec::{Inferred, Operand, ShapeError, rules};
use cnn_runtime::{Context, candle_core::Result, candle_core::Tensor};

/// Every value times a number.
pub struct MyLayer {
    /// The number.
    pub by: f64,
}

impl MyLayer {
    /// As many values as it is given.
    ///
    /// # Errors
    /// If that is not one tensor.
    // An error is a value of a constant, which has no boxes.
    #[allow(clippy::result_large_err)]
    pub const fn infer(&self, inputs: &[Operand]) -> std::result::Result<Inferred, ShapeError> {
        match rules::one("MyLayer", inputs) {
            Ok(input) => Ok(Inferred::shape(input.shape)),
            Err(error) => Err(error),
        }
    }
}

impl CustomLayer for MyLayer {
    fn forward(&self, _: &[Tensor], xs: &[&Tensor], _: &Context) -> Result<Tensor> {
        xs[0].affine(self.by, 0.)
    }
}
