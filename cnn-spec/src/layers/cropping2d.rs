//! `Cropping2D`: the edges of an image cut off.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, edges};

layer! {
    /// Each channel of `N, H, W, C` without its edges, as Keras' `Cropping2D`.
    Cropping2D "cropping2d" {
        ;
        /// Rows above and below, columns to the left and right.
        cropping: [[usize; 2]; 2] = [[0, 0], [0, 0]],
    }
}

impl Cropping2D {
    /// `H, W, C` to `H', W', C`, each axis shorter by what is cut off.
    ///
    /// # Errors
    /// If the input is no image, or nothing would be left of it.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        edges::cropped(Self::NAME, &self.cropping, inputs)
    }
}
