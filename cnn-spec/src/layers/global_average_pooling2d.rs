//! `GlobalAveragePooling2D`: the mean of each channel.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, pooling};

layer! {
    /// The mean of each channel of `N, H, W, C` over the whole image, as Keras' `GlobalAveragePooling2D`.
    GlobalAveragePooling2D "global_average_pooling2d" {
        ;
        /// Whether the output stays an image, of 1×1.
        keepdims: bool = false,
    }
}

impl GlobalAveragePooling2D {
    /// `H, W, C` to `C`, or to `1, 1, C` with `keepdims`.
    ///
    /// # Errors
    /// If the input is no image.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        pooling::global::<2>(Self::NAME, self.keepdims, inputs)
    }
}
