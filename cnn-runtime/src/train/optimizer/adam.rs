//! `Adam`: steps scaled by running moments of the gradient.

use super::Optimizer;
use super::in_place::{self, Rule, cast, or_zero, square_or_zero};
use crate::gpu::Argument;
use candle_core::{Result, Tensor, Var};
use num_traits::Float;

/// Adam (Kingma & Ba, 2015) as Keras has it: with `α = η·√(1 − β₂ᵗ)/(1 − β₁ᵗ)` in step `t`, `m` the running mean of the
/// gradient and `v` that of its square, `w ← w − α·m/(√v + ε)`.
///
/// Keras' `ε` is the paper's "epsilon hat"; PyTorch's is outside the bias correction, and 10⁻⁸.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// The step size `η`; 0.001 by default.
    pub learning_rate: f64,
    /// The share `β₁` of `m` kept from step to step; 0.9 by default.
    pub beta_1: f64,
    /// The share `β₂` of `v` kept from step to step; 0.999 by default.
    pub beta_2: f64,
    /// `ε`, which keeps the step finite where `v` is 0; 10⁻⁷ by default.
    pub epsilon: f64,
}

impl Adam {
    /// Adam with a step size.
    pub const fn new(learning_rate: f64) -> Self {
        Self { learning_rate, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }
    }
}

impl Default for Adam {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl Optimizer for Adam {
    fn slots(&self) -> &'static [&'static str] {
        &["m", "v"]
    }

    fn update(&self, step: u64, variable: &Var, gradient: &Tensor, slots: &Tensor) -> Result<()> {
        in_place::apply(&Step::of(self, step), variable, gradient, slots, None)
    }

    fn update_if_finite(&self, guard: &Tensor, step: u64, variable: &Var, gradient: &Tensor, slots: &Tensor) -> Result<()> {
        in_place::apply(&Step::of(self, step), variable, gradient, slots, Some(guard))
    }
}

/// Adam's arithmetic in one step.
struct Step {
    alpha: f64,
    settings: Adam,
}

impl Step {
    fn of(settings: &Adam, step: u64) -> Self {
        let correction = |beta: f64| 1. - beta.powf(step as f64);
        let alpha = settings.learning_rate * correction(settings.beta_2).sqrt() / correction(settings.beta_1);
        Self { alpha, settings: *settings }
    }
}

impl Rule for Step {
    fn kernel(&self) -> (&'static str, Vec<Argument<'static>>) {
        let Adam { beta_1, beta_2, epsilon, .. } = self.settings;
        ("adam", [self.alpha, 1. - beta_1, 1. - beta_2, epsilon].map(Argument::from).into())
    }

    #[inline(always)]
    fn update<T: Float>(&self, weights: &mut [T], gradients: &[T], slots: &mut [&mut [T]]) {
        let [first_moments, second_moments] = slots else { unreachable!("Adam has two slots") };
        let (alpha, epsilon) = (cast::<T>(self.alpha), cast::<T>(self.settings.epsilon));
        let (rest_1, rest_2) = (cast::<T>(1. - self.settings.beta_1), cast::<T>(1. - self.settings.beta_2));
        let moments = first_moments.iter_mut().zip(second_moments.iter_mut());
        for ((w, g), (m, v)) in weights.iter_mut().zip(gradients).zip(moments) {
            // Computed before any is written: none is then read again from where it has just been.
            let first = or_zero(*m + (*g - *m) * rest_1);
            let second = or_zero(*v + (square_or_zero(*g) - *v) * rest_2);
            let weight = *w - alpha * first / (second.sqrt() + epsilon);
            (*m, *v, *w) = (first, second, weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, gradients, trace};
    use super::*;
    use candle_core::DType;

    #[test]
    fn first_steps_by_hand() {
        // t = 1: m = 0.1·g, v = 0.001·g², α = 0.1·√0.001/0.1 = √0.001, so each step is almost exactly 0.1 against the sign.
        let found = trace(Adam { epsilon: 0., ..Adam::new(0.1) }, DType::F64, &[1., 1.], &[vec![3., -0.01], vec![0., 0.]]);
        assert_close(&found[..1], &[vec![0.9, 1.1]], 1e-12);
        // t = 2, g = 0: m = 0.09·g₁, v = 0.000999·g₁², α = 0.1·√(1 − 0.999²)/(1 − 0.81)
        let step = 0.1 * (1f64 - 0.999 * 0.999).sqrt() / 0.19 * 0.09 / 0.000999f64.sqrt();
        assert_close(&found[1..], &[vec![0.9 - step, 1.1 + step]], 1e-12);
    }

    #[test]
    fn moments_of_a_weight_without_gradients_end_at_0() {
        let adam = Adam { beta_2: 0.9, ..Adam::default() };
        let (mut weight, mut first, mut second, mut smallest) = ([1f32], [0f32], [0f32], f32::MAX);
        for step in 1..1500 {
            let gradient = [if step == 1 { 0.01 } else { 0. }];
            Step::of(&adam, step).update(&mut weight, &gradient, &mut [&mut first, &mut second]);
            smallest = [first[0], second[0]].into_iter().filter(|moment| *moment > 0.).fold(smallest, f32::min);
        }
        assert_eq!([first, second], [[0.]; 2]);
        assert!((f32::MIN_POSITIVE..1e-37).contains(&smallest), "{smallest:e}");
    }

    #[test]
    fn epsilon_is_beside_the_uncorrected_root() {
        let found = trace(Adam { epsilon: 1., ..Adam::new(1.) }, DType::F64, &[0.], &[vec![2.]]);
        let root = 0.001f64.sqrt();
        assert_close(&found, &[vec![-(root / 0.1) * 0.2 / (root * 2. + 1.)]], 1e-14);
    }

    #[test]
    fn long_variables_in_f32_follow_the_formula_in_f64() {
        let (length, steps) = (40_000, 5);
        let gradients = gradients(length, steps);
        let (mut w, mut m, mut v) = (vec![1.; length], vec![0.; length], vec![0.; length]);
        let mut expected = Vec::new();
        for (t, g) in (1..).zip(&gradients) {
            for i in 0..length {
                m[i] = 0.9 * m[i] + 0.1 * g[i];
                v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
                let alpha = 0.01 * (1. - 0.999f64.powi(t)).sqrt() / (1. - 0.9f64.powi(t));
                w[i] -= alpha * m[i] / (v[i].sqrt() + 1e-7);
            }
            expected.push(w.clone());
        }
        assert_close(&trace(Adam::new(0.01), DType::F64, &vec![1.; length], &gradients), &expected, 1e-12);
        assert_close(&trace(Adam::new(0.01), DType::F32, &vec![1.; length], &gradients), &expected, 1e-5);
    }
}
