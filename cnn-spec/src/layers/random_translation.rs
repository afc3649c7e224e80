//! `RandomTranslation`: images shifted at random.

use crate::augmentation::Drawn;
use crate::layer::layer;
use crate::{FillMode, Inferred, Interpolation, Operand, ShapeError, augmentation};

layer! {
    /// While training, shifts each image of `N, H, W, C`, as Keras' `RandomTranslation`.
    RandomTranslation "random_translation" {
        /// The shift down, as a share of the height: `0.1` draws from up to a tenth either way.
        height_factor: [f64; 2],
        /// The shift to the right, as a share of the width.
        width_factor: [f64; 2],
        ;
        /// What lies beyond the edges.
        fill_mode: FillMode = FillMode::Reflect,
        /// How values between pixels are found.
        interpolation: Interpolation = Interpolation::Bilinear,
        /// A seed of its own, beside the model's.
        seed: Option<usize> = None,
        /// The value beyond the edges, with `fill_mode=constant`.
        fill_value: f64 = 0.0,
    }
}

impl RandomTranslation {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the input is no image, or the least of an interval exceeds its largest or a bound.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let drawn = [
            Drawn {
                argument: "height_factor",
                interval: self.height_factor,
                bounds: [-1.0, 1.0],
                within: "from −1 to 1",
                example: "0.1",
            },
            Drawn {
                argument: "width_factor",
                interval: self.width_factor,
                bounds: [-1.0, 1.0],
                within: "from −1 to 1",
                example: "0.1",
            },
        ];
        augmentation::infer(Self::NAME, &drawn, inputs)
    }
}
