//! `CenterCrop`: the middle of an image.

use crate::layer::layer;
use crate::{Inferred, Operand, ShapeError, edges};

layer! {
    /// The middle of images `N, H, W, C`, as Keras' `CenterCrop`; an image too small for it is first made larger, its
    /// proportions kept.
    CenterCrop "center_crop" {
        /// The height of the output.
        height: usize,
        /// The width of the output.
        width: usize,
        ;
    }
}

impl CenterCrop {
    /// `H, W, C` to `height, width, C`.
    ///
    /// # Errors
    /// If the input is no image, or a size is 0.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        edges::resized(Self::NAME, [self.height, self.width], inputs)
    }
}
