//! The activation functions, by the names Keras gives them.

use crate::argument::words;

words! {
    /// A function applied to every element, or along the last axis, of a layer's output.
    ///
    /// Definitions and constants are Keras'; the formulas below are of one element `x`.
    Activation, "activation" {
        /// `x`.
        Linear "linear",
        /// `max(x, 0)`, whose slope at 0 is 0.
        Relu "relu",
        /// `x` if positive, else `0.2·x`.
        LeakyRelu "leaky_relu",
        /// `min(max(x, 0), 6)`.
        Relu6 "relu6",
        /// `x` if positive, else `eˣ − 1`.
        Elu "elu",
        /// `1.0507·x` if positive, else `1.0507·1.67326·(eˣ − 1)` (Klambauer et al., 2017).
        Selu "selu",
        /// `max(x, 0) + min(0, eˣ − 1)`, which is `elu` for the constant 1 it has here.
        Celu "celu",
        /// `x·Φ(x)` with the normal distribution function, computed through `erf` (Hendrycks & Gimpel, 2016).
        Gelu "gelu",
        /// `x·sigmoid(x)`, also called swish.
        Silu "silu" | "swish",
        /// `x·hard_sigmoid(x)`, also called hard swish.
        HardSilu "hard_silu" | "hard_swish",
        /// `1/(1 + e⁻ˣ)`.
        Sigmoid "sigmoid",
        /// `min(max(x/6 + 0.5, 0), 1)`.
        HardSigmoid "hard_sigmoid",
        /// `ln(sigmoid(x))`.
        LogSigmoid "log_sigmoid",
        /// The hyperbolic tangent.
        Tanh "tanh",
        /// `min(max(x, −1), 1)`.
        HardTanh "hard_tanh",
        /// `x − tanh(x)`.
        TanhShrink "tanh_shrink",
        /// `x` moved towards 0 by 0.5, and 0 in between.
        SoftShrink "soft_shrink",
        /// `x`, and 0 where `|x| ≤ 0.5`.
        HardShrink "hard_shrink",
        /// `ln(1 + eˣ)`.
        Softplus "softplus",
        /// `x/(1 + |x|)`.
        Softsign "softsign",
        /// `(x + √(x² + 4))/2`.
        Squareplus "squareplus",
        /// `x·tanh(softplus(x))`.
        Mish "mish",
        /// `eˣ`.
        Exponential "exponential",
        /// `0` up to −1, `x` from 1, `(x + 1)²/4` in between.
        SparsePlus "sparse_plus",
        /// `0` up to −1, `1` from 1, `(x + 1)/2` in between.
        SparseSigmoid "sparse_sigmoid",
        /// `e^{xᵢ} / Σ e^{xⱼ}` along the last axis.
        Softmax "softmax",
        /// `ln(softmax(x))` along the last axis.
        LogSoftmax "log_softmax",
        /// `max(xᵢ − τ, 0)` along the last axis, with the `τ` that makes its sum 1 (Martins & Astudillo, 2016).
        Sparsemax "sparsemax",
        /// `a·sigmoid(b)` of the two halves `a`, `b` of the last axis, which is halved (Dauphin et al., 2017).
        Glu "glu",
    }
}

impl Activation {
    /// Whether each element of the output depends on that element of the input alone.
    pub const fn is_elementwise(self) -> bool {
        !matches!(self, Activation::Softmax | Activation::LogSoftmax | Activation::Sparsemax | Activation::Glu)
    }
}
