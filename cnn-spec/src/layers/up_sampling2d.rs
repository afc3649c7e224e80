//! `UpSampling2D`: an image made larger.

use crate::layer::layer;
use crate::{Inferred, Operand, Resampling, ShapeError, edges};

layer! {
    /// Each cell of `N, H, W, C` repeated, or interpolated, as Keras' `UpSampling2D`.
    UpSampling2D "up_sampling2d" {
        ;
        /// Cells of the output for each row and column.
        size: [usize; 2] = [2, 2],
        /// How the values in between are found.
        interpolation: Resampling = Resampling::Nearest,
    }
}

impl UpSampling2D {
    /// `H, W, C` to `H', W', C`, each axis times its size.
    ///
    /// # Errors
    /// If the input is no image, or a size is 0.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        edges::enlarged(Self::NAME, self.size, inputs)
    }
}
