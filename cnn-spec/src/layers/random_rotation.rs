//! `RandomRotation`: images turned at random.

use crate::augmentation::Drawn;
use crate::layer::layer;
use crate::{FillMode, Inferred, Interpolation, Operand, ShapeError, augmentation};

layer! {
    /// While training, turns each image of `N, H, W, C` about its centre, as Keras' `RandomRotation`.
    RandomRotation "random_rotation" {
        /// The turn as a share of a whole one, counterclockwise: `0.1` draws from ±36°.
        factor: [f64; 2],
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

impl RandomRotation {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the input is no image, or the least of an interval exceeds its largest or a bound.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let drawn =
            [Drawn { argument: "factor", interval: self.factor, bounds: [-1.0, 1.0], within: "from −1 to 1", example: "0.1" }];
        augmentation::infer(Self::NAME, &drawn, inputs)
    }
}
