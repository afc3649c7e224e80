//! `ZeroPadding2D`: zeros around an image.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, edges};

layer! {
    /// Zeros around each channel of `N, H, W, C`, as Keras' `ZeroPadding2D`.
    ZeroPadding2D "zero_padding2d" {
        ;
        /// Rows above and below, columns to the left and right.
        padding: [[usize; 2]; 2] = [[1, 1], [1, 1]],
    }
}

impl ZeroPadding2D {
    /// `H, W, C` to `H', W', C`, each axis longer by its padding.
    ///
    /// # Errors
    /// If the input is no image, or the padding is larger than sizes may be.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        edges::padded(Self::NAME, &self.padding, inputs)
    }
}
