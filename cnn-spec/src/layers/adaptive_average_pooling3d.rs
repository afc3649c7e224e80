//! `AdaptiveAveragePooling3D`: the mean of as many windows as the output is to have.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, pooling};

layer! {
    /// The mean of each of `output_size` windows of each channel of `N, D, H, W, C`, as Keras' `AdaptiveAveragePooling3D` and PyTorch's
    /// `AdaptiveAvgPool3d`: of `O` windows over `N` cells, the `i`-th is `⌊i·N/O⌋` to `⌈(i + 1)·N/O⌉`.
    AdaptiveAveragePooling3D "adaptive_average_pooling3d" {
        /// The depth, height and width of the output.
        output_size: [usize; 3],
        ;
    }
}

impl AdaptiveAveragePooling3D {
    /// `D, H, W, C` to `D', H', W', C` of the size asked for, whatever the input's.
    ///
    /// # Errors
    /// If the input is no volume, or a size is 0.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        pooling::adaptive(Self::NAME, self.output_size, inputs)
    }
}
