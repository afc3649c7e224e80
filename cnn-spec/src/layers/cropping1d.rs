//! `Cropping1D`: the edges of a sequence cut off.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, edges};

layer! {
    /// Each channel of `N, W, C` without its edges, as Keras' `Cropping1D`.
    Cropping1D "cropping1d" {
        ;
        /// Steps before and after.
        cropping: [[usize; 2]; 1] = [[1, 1]],
    }
}

impl Cropping1D {
    /// `W, C` to `W', C`, each axis shorter by what is cut off.
    ///
    /// # Errors
    /// If the input is no sequence, or nothing would be left of it.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        edges::cropped(Self::NAME, &self.cropping, inputs)
    }
}
