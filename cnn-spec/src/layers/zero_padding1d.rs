//! `ZeroPadding1D`: zeros around a sequence.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, edges};

layer! {
    /// Zeros around each channel of `N, W, C`, as Keras' `ZeroPadding1D`.
    ZeroPadding1D "zero_padding1d" {
        ;
        /// Steps before and after.
        padding: [[usize; 2]; 1] = [[1, 1]],
    }
}

impl ZeroPadding1D {
    /// `W, C` to `W', C`, each axis longer by its padding.
    ///
    /// # Errors
    /// If the input is no sequence, or the padding is larger than sizes may be.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        edges::padded(Self::NAME, &self.padding, inputs)
    }
}
