//! `RandomZoom`: images made smaller or larger at random.

use crate::augmentation::Drawn;
use crate::layer::layer;
use crate::{FillMode, Inferred, Interpolation, Operand, ShapeError, augmentation};

layer! {
    /// While training, makes each image of `N, H, W, C` smaller or larger about its centre, as Keras' `RandomZoom`.
    RandomZoom "random_zoom" {
        /// How much more of the height is seen: `0.2` draws from a fifth less, which is larger, to a fifth more, which is
        /// smaller.
        height_factor: [f64; 2],
        ;
        /// How much more of the width is seen; as much as of the height unless given.
        width_factor: Option<[f64; 2]> = None,
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

impl RandomZoom {
    /// The shape of its input.
    ///
    /// # Errors
    /// If the input is no image, or the least of an interval exceeds its largest or a bound.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let drawn = [
            Drawn {
                argument: "height_factor",
                interval: self.height_factor,
                bounds: [-0.99, 100.0],
                within: "from −0.99 to 100",
                example: "0.2",
            },
            Drawn {
                argument: "width_factor",
                interval: match self.width_factor {
                    Some(factor) => factor,
                    None => [0.0, 0.0],
                },
                bounds: [-0.99, 100.0],
                within: "from −0.99 to 100",
                example: "0.2",
            },
        ];
        augmentation::infer(Self::NAME, &drawn, inputs)
    }
}
