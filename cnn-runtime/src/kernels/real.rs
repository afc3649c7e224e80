//! The numbers kernels compute with, `f32` and `f64`.

use candle_core::WithDType;
use pulp::Simd;
use pulp::bytemuck::Pod;
use std::iter::Sum;

/// A real number type of the kernels: `f32` to train with, `f64` to check gradients with.
pub(crate) trait Real: WithDType + Default + num_traits::Float + Sum + Pod {
    /// As many of these numbers as a vector holds.
    type Vector<S: Simd>: Pod;

    /// This number in every lane of a vector.
    fn splat<S: Simd>(self, simd: S) -> Self::Vector<S>;

    /// `a·b + c`, lane by lane, rounded once or twice, whichever is quicker.
    fn multiply_add<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>, c: Self::Vector<S>) -> Self::Vector<S>;

    /// This number by the function of its type.
    fn by(self, single: impl FnOnce(f32) -> f32, double: impl FnOnce(f64) -> f64) -> Self;

    /// This number, or `low` if it is smaller; not a number stays so.
    #[inline(always)]
    fn at_least(self, low: Self) -> Self {
        if self < low { low } else { self }
    }

    /// This number, or `high` if it is larger; not a number stays so.
    #[inline(always)]
    fn at_most(self, high: Self) -> Self {
        if self > high { high } else { self }
    }

    /// This number in double precision, in which long sums are taken.
    fn wide(self) -> f64 {
        WithDType::to_f64(self)
    }

    /// These numbers, if this type is `f32`.
    fn singles(xs: &[Self]) -> Option<&[f32]>;

    /// Numbers of this type from those of single precision.
    fn from_singles(xs: Vec<f32>) -> Vec<Self>;

    /// The nearest number to `x`.
    fn of(x: f64) -> Self {
        Self::from_f64(x)
    }
}

impl Real for f32 {
    type Vector<S: Simd> = S::f32s;

    #[inline(always)]
    fn splat<S: Simd>(self, simd: S) -> S::f32s {
        simd.splat_f32s(self)
    }

    #[inline(always)]
    fn multiply_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
        simd.mul_add_e_f32s(a, b, c)
    }

    #[inline(always)]
    fn by(self, single: impl FnOnce(f32) -> f32, _: impl FnOnce(f64) -> f64) -> Self {
        single(self)
    }

    fn singles(xs: &[f32]) -> Option<&[f32]> {
        Some(xs)
    }

    fn from_singles(xs: Vec<f32>) -> Vec<f32> {
        xs
    }
}

impl Real for f64 {
    type Vector<S: Simd> = S::f64s;

    #[inline(always)]
    fn splat<S: Simd>(self, simd: S) -> S::f64s {
        simd.splat_f64s(self)
    }

    #[inline(always)]
    fn multiply_add<S: Simd>(simd: S, a: S::f64s, b: S::f64s, c: S::f64s) -> S::f64s {
        simd.mul_add_e_f64s(a, b, c)
    }

    #[inline(always)]
    fn by(self, _: impl FnOnce(f32) -> f32, double: impl FnOnce(f64) -> f64) -> Self {
        double(self)
    }

    fn singles(_: &[f64]) -> Option<&[f32]> {
        None
    }

    fn from_singles(xs: Vec<f32>) -> Vec<f64> {
        xs.into_iter().map(f64::from).collect()
    }
}
