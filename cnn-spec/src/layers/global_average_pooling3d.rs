//! `GlobalAveragePooling3D`: the mean of each channel.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, pooling};

layer! {
    /// The mean of each channel of `N, D, H, W, C` over the whole volume, as Keras' `GlobalAveragePooling3D`.
    GlobalAveragePooling3D "global_average_pooling3d" {
        ;
        /// Whether the output stays a volume, of 1×1×1.
        keepdims: bool = false,
    }
}

impl GlobalAveragePooling3D {
    /// `D, H, W, C` to `C`, or to `1, 1, 1, C` with `keepdims`.
    ///
    /// # Errors
    /// If the input is no volume.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        pooling::global::<3>(Self::NAME, self.keepdims, inputs)
    }
}
