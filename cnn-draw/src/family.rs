//! The kinds of layers that pictures tell apart, as Keras' documentation groups them, and their colours.

/// What a layer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Where tensors enter.
    Input,
    /// A convolution of any sort.
    Convolution,
    /// A matrix product, or a table of vectors.
    Dense,
    /// A window or a whole map becomes a number.
    Pooling,
    /// Values are centred and scaled.
    Normalization,
    /// A function of each value.
    Activation,
    /// Several tensors become one.
    Merging,
    /// Values move, and are otherwise as they were.
    Reshaping,
    /// Noise that acts in training alone, and penalties.
    Regularization,
    /// Images are made ready, or varied in training.
    Preprocessing,
    /// Everything else, such as a user's own layer.
    Other,
}

impl Family {
    /// The family of the layer of this name.
    pub fn of(kind: &str) -> Self {
        let is = |pieces: &[&str]| pieces.iter().any(|piece| kind.contains(piece));
        match kind {
            "Input" => Self::Input,
            "Dense" | "Embedding" => Self::Dense,
            "Add" | "Subtract" | "Multiply" | "Average" | "Maximum" | "Minimum" | "Concatenate" | "Dot" => Self::Merging,
            "Activation" | "Softmax" | "Threshold" => Self::Activation,
            "Normalization" => Self::Preprocessing,
            _ if kind.ends_with("LU") => Self::Activation,
            _ if is(&["Conv1D", "Conv2D", "Conv3D"]) => Self::Convolution,
            _ if is(&["Pooling"]) => Self::Pooling,
            _ if is(&["Normalization"]) => Self::Normalization,
            _ if is(&["Dropout", "Noise", "Regularization"]) => Self::Regularization,
            _ if is(&["Flatten", "Identity", "Reshape", "Permute", "Repeat", "ZeroPadding", "Cropping", "UpSampling"]) => {
                Self::Reshaping
            }
            _ if is(&["Random", "Rescaling", "Resizing", "CenterCrop"]) => Self::Preprocessing,
            _ => Self::Other,
        }
    }

    /// Whether it is drawn as a strip under the layer it follows.
    pub(crate) fn is_strip(self) -> bool {
        matches!(self, Self::Normalization | Self::Activation | Self::Regularization)
    }

    /// A colour that is told apart, at a fifth of its strength, on white and on black.
    pub(crate) fn colour(self) -> &'static str {
        match self {
            Self::Input | Self::Other => "#808890",
            Self::Convolution => "#2f7ff0",
            Self::Dense => "#9a5cf0",
            Self::Pooling => "#e8503a",
            Self::Normalization => "#e0a020",
            Self::Activation => "#30a850",
            Self::Merging => "#10a8a8",
            Self::Reshaping => "#7088b0",
            Self::Regularization => "#a08878",
            Self::Preprocessing => "#e060b0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cnn_spec::Layer;

    #[test]
    fn every_layer_of_the_language_has_a_family() {
        let strays: Vec<_> = Layer::NAMES.iter().filter(|name| Family::of(name) == Family::Other).collect();
        assert!(strays.is_empty(), "{strays:?}");
    }
}
