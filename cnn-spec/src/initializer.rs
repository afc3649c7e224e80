//! How a parameter's first values are drawn: Keras' initializers.

use crate::argument::words;

words! {
    /// The distribution of a parameter's first values, with Keras' defaults.
    ///
    /// `fan_in` is the number of inputs that feed one output, `fan_out` the number of outputs one input feeds. Normal
    /// distributions that scale with a fan are truncated at two standard deviations and widened to keep their variance.
    Initializer, "initializer" {
        /// Uniform within `±√(6/(fan_in + fan_out))` (Glorot & Bengio, 2010).
        GlorotUniform "glorot_uniform" | "xavier_uniform",
        /// Truncated normal of variance `2/(fan_in + fan_out)`.
        GlorotNormal "glorot_normal" | "xavier_normal",
        /// Uniform within `±√(6/fan_in)` (He et al., 2015).
        HeUniform "he_uniform" | "kaiming_uniform",
        /// Truncated normal of variance `2/fan_in`.
        HeNormal "he_normal" | "kaiming_normal",
        /// Uniform within `±√(3/fan_in)` (LeCun et al., 1998).
        LecunUniform "lecun_uniform",
        /// Truncated normal of variance `1/fan_in`.
        LecunNormal "lecun_normal",
        /// Normal of standard deviation 0.05.
        RandomNormal "random_normal",
        /// Uniform within ±0.05.
        RandomUniform "random_uniform",
        /// Normal of standard deviation 0.05, truncated at two standard deviations.
        TruncatedNormal "truncated_normal",
        /// Orthonormal rows or columns (Saxe et al., 2014).
        Orthogonal "orthogonal",
        /// All 0.
        Zeros "zeros",
        /// All 1.
        Ones "ones",
    }
}
