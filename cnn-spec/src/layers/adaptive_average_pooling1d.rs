//! `AdaptiveAveragePooling1D`: the mean of as many windows as the output is to have.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, pooling};

layer! {
    /// The mean of each of `output_size` windows of each channel of `N, W, C`, as Keras' `AdaptiveAveragePooling1D` and PyTorch's
    /// `AdaptiveAvgPool1d`: of `O` windows over `N` cells, the `i`-th is `⌊i·N/O⌋` to `⌈(i + 1)·N/O⌉`.
    AdaptiveAveragePooling1D "adaptive_average_pooling1d" {
        /// The length of the output.
        output_size: [usize; 1],
        ;
    }
}

impl AdaptiveAveragePooling1D {
    /// `W, C` to `W', C` of the size asked for, whatever the input's.
    ///
    /// # Errors
    /// If the input is no sequence, or a size is 0.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        pooling::adaptive(Self::NAME, self.output_size, inputs)
    }
}
