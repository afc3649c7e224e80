//! How precisely a network multiplies.

use scopeguard::guard;
use std::cell::Cell;

/// How precisely the products of convolutions and dense layers are computed.
///
/// Weights, activations, gradients, sums and everything that is not such a product are `f32` in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// All 24 bits of `f32`, on every device: results of a CPU and a GPU then differ by the order of sums alone.
    F32,
    /// The factors are rounded to the 11 bits of TF32 on GPUs whose tensor cores multiply it several times faster (NVIDIA's,
    /// from compute capability 8.0 on), as other frameworks do there; elsewhere this is [`Self::F32`].
    #[default]
    Tf32,
    /// The factors are rounded to `bf16`, whose 8 bits are enough for most networks to learn as well (Kalamkar et al., 2019), on
    /// processors that multiply it faster: several times with tiles (Intel's AMX, NVIDIA's tensor cores), twice as fast on the vectors
    /// of AMD's from Zen 4 on (AVX512-BF16). Elsewhere, and where it would not pay, this is [`Self::F32`]: on Intel's vectors, which take
    /// longer for `bf16`, for products that are too small, and on vectors for 3×3 convolutions without strides, which need a quarter of the
    /// products in `f32`, but for those of a predictor that have fewer than 32 channels. Convolutions by cuDNN round their results to `bf16` as well.
    Bf16,
}

thread_local! {
    static CURRENT: Cell<Precision> = const { Cell::new(Precision::F32) };
}

impl Precision {
    /// Runs `pass`, whose operations, and later their gradients, are computed at this precision.
    pub(crate) fn during<R>(self, pass: impl FnOnce() -> R) -> R {
        let _restore = guard(CURRENT.replace(self), |before| CURRENT.set(before));
        pass()
    }

    /// The precision of the pass in hand; outside of one, all bits.
    pub(crate) fn current() -> Self {
        CURRENT.get()
    }

    /// The `bf16` pieces of which each factor is the sum.
    pub(crate) fn pieces(self) -> usize {
        match self {
            Precision::F32 | Precision::Tf32 => 3,
            Precision::Bf16 => 1,
        }
    }
}
