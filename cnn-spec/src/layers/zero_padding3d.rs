//! `ZeroPadding3D`: zeros around a volume.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, edges};

layer! {
    /// Zeros around each channel of `N, D, H, W, C`, as Keras' `ZeroPadding3D`.
    ZeroPadding3D "zero_padding3d" {
        ;
        /// Slices in front and behind, rows above and below, columns to the left and right.
        padding: [[usize; 2]; 3] = [[1, 1], [1, 1], [1, 1]],
    }
}

impl ZeroPadding3D {
    /// `D, H, W, C` to `D', H', W', C`, each axis longer by its padding.
    ///
    /// # Errors
    /// If the input is no volume, or the padding is larger than sizes may be.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        edges::padded(Self::NAME, &self.padding, inputs)
    }
}
