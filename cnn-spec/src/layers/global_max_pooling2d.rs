//! `GlobalMaxPooling2D`: the largest value of each channel.

use crate::layer::{image_of, layer};
use crate::{Dim, Inferred, Operand, Reach, Shape, ShapeError, rules};

layer! {
    /// The maximum of each channel of `N, H, W, C` over the whole image, as Keras' `GlobalMaxPooling2D`.
    GlobalMaxPooling2D "global_max_pooling2d" {
        ;
        /// Whether the output stays an image, of 1×1.
        keepdims: bool = false,
    }
}

impl GlobalMaxPooling2D {
    /// `H, W, C` to `C`, or to `1, 1, C` with `keepdims`.
    ///
    /// # Errors
    /// If the input is no image.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::image(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        let channels = input.shape.channels();
        let shape = if self.keepdims { image_of([Dim::Known(1); 2], channels) } else { Shape::of(&[channels]) };
        Ok(Inferred::shape(shape).reach(Reach::Whole))
    }
}
