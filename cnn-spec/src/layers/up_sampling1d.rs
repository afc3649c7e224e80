//! `UpSampling1D`: a sequence made larger.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, edges};

layer! {
    /// Each cell of `N, W, C` repeated, as Keras' `UpSampling1D`.
    UpSampling1D "up_sampling1d" {
        ;
        /// Cells of the output for each step.
        size: [usize; 1] = [2],
    }
}

impl UpSampling1D {
    /// `W, C` to `W', C`, each axis times its size.
    ///
    /// # Errors
    /// If the input is no sequence, or a size is 0.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        edges::enlarged(Self::NAME, self.size, inputs)
    }
}
