//! `Cropping3D`: the edges of a volume cut off.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, edges};

layer! {
    /// Each channel of `N, D, H, W, C` without its edges, as Keras' `Cropping3D`.
    Cropping3D "cropping3d" {
        ;
        /// Slices in front and behind, rows above and below, columns to the left and right.
        cropping: [[usize; 2]; 3] = [[1, 1], [1, 1], [1, 1]],
    }
}

impl Cropping3D {
    /// `D, H, W, C` to `D', H', W', C`, each axis shorter by what is cut off.
    ///
    /// # Errors
    /// If the input is no volume, or nothing would be left of it.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        edges::cropped(Self::NAME, &self.cropping, inputs)
    }
}
