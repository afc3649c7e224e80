//! Exponentials and functions made of them, computed without a branch or a call, so that vectors compute several at once.
//!
//! With `x = n·ln 2 + r`, where `n` is whole and `|r| ≤ ln 2 / 2`, `eˣ = 2ⁿ·eʳ`, of which the powers of two are bits of a number and the
//! rest is a short series. Numbers of double precision, with which gradients are checked, go to the standard library.

use super::real::Real;

/// `eˣ`
#[inline(always)]
pub(super) fn exp<T: Real>(x: T) -> T {
    x.by(singles::exp, f64::exp)
}

/// `eˣ − 1`, exact also where it is small.
#[inline(always)]
pub(super) fn exp_m1<T: Real>(x: T) -> T {
    x.by(singles::exp_m1, f64::exp_m1)
}

/// The hyperbolic tangent.
#[inline(always)]
pub(super) fn tanh<T: Real>(x: T) -> T {
    x.by(singles::tanh, f64::tanh)
}

/// `ln(1 + eˣ)` without overflow.
#[inline(always)]
pub(super) fn softplus<T: Real>(x: T) -> T {
    x.at_least(T::zero()) + exp(-x.abs()).by(singles::ln_1p_of_unit, f64::ln_1p)
}

/// `1 / (1 + e⁻ˣ)`
#[inline(always)]
pub(super) fn sigmoid<T: Real>(x: T) -> T {
    T::one() / (T::one() + exp(-x))
}

/// The normal distribution function.
#[inline(always)]
pub(super) fn normal_cdf<T: Real>(x: T) -> T {
    x.by(singles::normal_cdf, |x| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2))
}

/// Of numbers of single precision, to within a few units in the last place.
mod singles {
    use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

    /// `2ⁿ`, for `n` from −126 to 127.
    #[inline(always)]
    fn power_of_two(n: i32) -> f32 {
        f32::from_bits(((n + 127) << 23) as u32)
    }

    /// The `n` of `x`, no further than where `eˣ` is 0 or infinite, and `eʳ − 1`. What is not a number stays so in the latter.
    #[inline(always)]
    fn reduced(x: f32) -> (i32, f32) {
        /// 1.5·2²³: a number next to it is rounded to a whole one, in its last bits.
        const WHOLE: f32 = 12_582_912.0;
        /// `ln 2` in two parts, of which the first has so few digits that `n` times it is exact.
        const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
        let x = if x > 89.0 { 89.0 } else { x };
        let x = if x < -104.0 { -104.0 } else { x };
        let shifted = x * LOG2_E + WHOLE;
        let n = shifted - WHOLE;
        let r = x - n * LN_2[0] - n * LN_2[1];
        // Taylor's series, whose next term is below half a unit in the last place.
        let series = 1.0 / 5040.0;
        let series = series * r + 1.0 / 720.0;
        let series = series * r + 1.0 / 120.0;
        let series = series * r + 1.0 / 24.0;
        let series = series * r + 1.0 / 6.0;
        let series = series * r + 0.5;
        (shifted.to_bits().wrapping_sub(WHOLE.to_bits()) as i32, r * r * series + r)
    }

    /// `n` in two halves, as the power of two that a result is multiplied with may be none that a number can be.
    #[inline(always)]
    fn halves(n: i32) -> [i32; 2] {
        [n >> 1, n - (n >> 1)]
    }

    #[inline(always)]
    pub(super) fn exp(x: f32) -> f32 {
        let (n, rest) = reduced(x);
        let [a, b] = halves(n).map(power_of_two);
        (1.0 + rest) * a * b
    }

    #[inline(always)]
    pub(super) fn exp_m1(x: f32) -> f32 {
        let (n, rest) = reduced(x);
        let [a, b] = halves(n);
        (rest * power_of_two(a) + (power_of_two(a) - power_of_two(-b))) * power_of_two(b)
    }

    /// Of `e^(−2|x|) − 1`, which cannot overflow.
    #[inline(always)]
    pub(super) fn tanh(x: f32) -> f32 {
        let less = exp_m1(-2.0 * x.abs());
        (-less / (2.0 + less)).copysign(x)
    }

    /// `ln(1 + x)` for `x` from 0 to 1: `2·artanh(x / (2 + x))`, by the series of the latter.
    #[inline(always)]
    pub(super) fn ln_1p_of_unit(x: f32) -> f32 {
        let s = x / (2.0 + x);
        let z = s * s;
        let series = 1.0 / 13.0;
        let series = series * z + 1.0 / 11.0;
        let series = series * z + 1.0 / 9.0;
        let series = series * z + 1.0 / 7.0;
        let series = series * z + 1.0 / 5.0;
        let series = series * z + 1.0 / 3.0;
        2.0 * (s + s * z * series)
    }

    /// Of `erfc(z)`, with `z = |x|/√2`, which is `exp(−z²)` times a polynomial of `1/(1 + 0.2975·z)`, fitted to a relative error of 1.6·10⁻⁸
    /// up to `z = 10`, where the whole is 0.
    #[inline(always)]
    pub(super) fn normal_cdf(x: f32) -> f32 {
        let t = 1.0 / (1.0 + 0.2975 * FRAC_1_SQRT_2 * x.abs());
        let series = -0.141_213_48;
        let series = series * t + 0.554_169;
        let series = series * t - 0.636_815_65;
        let series = series * t + 0.674_697_9;
        let series = series * t - 0.173_041_87;
        let series = series * t + 0.244_258_07;
        let series = series * t + 0.139_969_94;
        let series = series * t + 0.170_252_38;
        let series = series * t + 0.167_723_75;
        let tail = 0.5 * series * t * exp(-0.5 * x * x);
        if x > 0.0 { 1.0 - tail } else { tail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest distance of a function from the same in double precision, of which parts below `least` do not count, in units in the last
    /// place of single precision.
    fn furthest(function: fn(f32) -> f32, exact: fn(f64) -> f64, least: f64, range: std::ops::RangeInclusive<f32>) -> f64 {
        let step = (range.end() - range.start()) / 2e6;
        let distance = |i: i32| {
            let x = range.start() + i as f32 * step;
            let exact = exact(f64::from(x));
            (f64::from(function(x)) - exact).abs() / exact.abs().max(least) / f64::from(f32::EPSILON)
        };
        (0..=2_000_000).map(distance).fold(0.0, f64::max)
    }

    #[test]
    fn singles_are_near_doubles() {
        let least = f64::from(f32::MIN_POSITIVE);
        for (name, distance, most) in [
            ("exp", furthest(exp, exp, least, -87.3..=88.7), 1.0),
            ("exp_m1", furthest(exp_m1, exp_m1, least, -20.0..=88.7), 1.5),
            ("exp_m1", furthest(exp_m1, exp_m1, least, -0.5..=0.5), 1.5),
            ("tanh", furthest(tanh, tanh, least, -12.0..=12.0), 2.0),
            ("tanh", furthest(tanh, tanh, least, -0.01..=0.01), 2.0),
            ("softplus", furthest(softplus, softplus, least, -80.0..=80.0), 2.5),
            ("sigmoid", furthest(sigmoid, sigmoid, least, -80.0..=30.0), 2.0),
            ("normal_cdf", furthest(normal_cdf, normal_cdf, least, -1.5..=9.0), 6.0),
            // `x²` is rounded before it is an exponent.
            ("normal_cdf", furthest(normal_cdf, normal_cdf, least, -12.0..=-1.5), 50.0),
        ] {
            assert!(distance < most, "{name}: {distance} units");
        }
    }

    #[test]
    fn the_ends_are_those_of_the_standard_library() {
        for x in [
            0.0,
            -0.0,
            1e-30,
            -1e-30,
            88.6,
            88.72,
            88.73,
            -87.4,
            -100.0,
            -103.9,
            -104.1,
            1e30,
            -1e30,
            f32::INFINITY,
            -f32::INFINITY,
        ] {
            for (found, expected) in [(exp(x), x.exp()), (exp_m1(x), x.exp_m1()), (tanh(x), x.tanh())] {
                let is_near = found == expected || (found / expected - 1.0).abs() < 1e-6 || (found - expected).abs() < 1e-44;
                assert!(
                    is_near && (found == 0.0 || found.is_sign_negative() == expected.is_sign_negative()),
                    "{found} for {expected} at {x}"
                );
            }
        }
        assert_eq!([-200.0, 200.0].map(normal_cdf::<f32>), [0.0, 1.0]);
        assert_eq!([-f32::INFINITY, f32::INFINITY].map(softplus), [0.0, f32::INFINITY]);
        for function in [exp, exp_m1, tanh, softplus, sigmoid, normal_cdf] {
            assert!(function(f32::NAN).is_nan());
        }
    }
}
