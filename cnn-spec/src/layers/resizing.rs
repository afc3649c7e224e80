//! `Resizing`: an image of any size becomes one of a given size.

use crate::layer::layer;
use crate::{At, FillMode, Inferred, Operand, Resampling, ShapeError, Text, edges};

layer! {
    /// Images `N, H, W, C` sampled anew at a given height and width, as Keras' `Resizing`.
    Resizing "resizing" {
        /// The height of the output.
        height: usize,
        /// The width of the output.
        width: usize,
        ;
        /// How values between pixels are found.
        interpolation: Resampling = Resampling::Bilinear,
        /// Whether the edges are cut off first, so that nothing is stretched.
        crop_to_aspect_ratio: bool = false,
        /// Whether cells of `fill_value` are added at the edges first, so that nothing is stretched.
        pad_to_aspect_ratio: bool = false,
        /// What the cells that are added are made of; as in Keras, it must be `constant`.
        fill_mode: FillMode = FillMode::Constant,
        /// The value of the cells that are added.
        fill_value: f64 = 0.0,
        /// Whether a smaller image is a mean of all its pixels: the kernel reaches as much farther as the image shrinks.
        antialias: bool = false,
    }
}

impl Resizing {
    /// `H, W, C` to `height, width, C`.
    ///
    /// # Errors
    /// If the input is no image, a size is 0, the edges are to be both cut off and added to, or `fill_mode` is not `constant`.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        if self.crop_to_aspect_ratio && self.pad_to_aspect_ratio {
            let message = Text::from("`Resizing` either crops or pads an image to the aspect ratio, not both");
            let help = Text::from("leave out `crop_to_aspect_ratio` or `pad_to_aspect_ratio`");
            return Err(ShapeError::new(At::Argument("pad_to_aspect_ratio"), message).help(help));
        }
        if !matches!(self.fill_mode, FillMode::Constant) {
            let message = Text::from("`Resizing` adds cells of one value alone, not `").and(self.fill_mode.word()).and("`");
            let help = Text::from("use `fill_mode=constant`, or leave it out");
            return Err(ShapeError::new(At::Argument("fill_mode"), message).help(help));
        }
        if !self.fill_value.is_finite() {
            let message = Text::from("`fill_value` must be a finite number");
            return Err(ShapeError::new(At::Argument("fill_value"), message).help(Text::from("use a value such as `0`")));
        }
        edges::resized(Self::NAME, [self.height, self.width], inputs)
    }
}
