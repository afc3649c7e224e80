//! `AdaptiveMaxPooling3D`: the maximum of as many windows as the output is to have.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, pooling};

layer! {
    /// The maximum of each of `output_size` windows of each channel of `N, D, H, W, C`, as Keras' `AdaptiveMaxPooling3D` and PyTorch's
    /// `AdaptiveMaxPool3d`: of `O` windows over `N` cells, the `i`-th is `⌊i·N/O⌋` to `⌈(i + 1)·N/O⌉`.
    AdaptiveMaxPooling3D "adaptive_max_pooling3d" {
        /// The depth, height and width of the output.
        output_size: [usize; 3],
        ;
    }
}

impl AdaptiveMaxPooling3D {
    /// `D, H, W, C` to `D', H', W', C` of the size asked for, whatever the input's.
    ///
    /// # Errors
    /// If the input is no volume, or a size is 0.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        pooling::adaptive(Self::NAME, self.output_size, inputs)
    }
}
