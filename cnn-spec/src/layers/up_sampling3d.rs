//! `UpSampling3D`: a volume made larger.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, edges};

layer! {
    /// Each cell of `N, D, H, W, C` repeated, as Keras' `UpSampling3D`.
    UpSampling3D "up_sampling3d" {
        ;
        /// Cells of the output for each slice, row and column.
        size: [usize; 3] = [2, 2, 2],
    }
}

impl UpSampling3D {
    /// `D, H, W, C` to `D', H', W', C`, each axis times its size.
    ///
    /// # Errors
    /// If the input is no volume, or a size is 0.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        edges::enlarged(Self::NAME, self.size, inputs)
    }
}
