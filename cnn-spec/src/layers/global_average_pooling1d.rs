//! `GlobalAveragePooling1D`: the mean of each channel.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, pooling};

layer! {
    /// The mean of each channel of `N, W, C` over the whole sequence, as Keras' `GlobalAveragePooling1D`.
    GlobalAveragePooling1D "global_average_pooling1d" {
        ;
        /// Whether the output stays a sequence, of one step.
        keepdims: bool = false,
    }
}

impl GlobalAveragePooling1D {
    /// `W, C` to `C`, or to `1, C` with `keepdims`.
    ///
    /// # Errors
    /// If the input is no sequence.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        pooling::global::<1>(Self::NAME, self.keepdims, inputs)
    }
}
