//! `SGD`: gradient descent, with or without momentum.

use super::Optimizer;
use super::in_place::{self, Rule, cast, or_zero};
use crate::gpu::Argument;
use candle_core::{Result, Tensor, Var};
use num_traits::Float;

/// Gradient descent, as Keras' `SGD`: `w ← w − η·g`; with momentum `v ← μ·v − η·g` and `w ← w + v`.
///
/// The learning rate is inside the velocity, which differs from PyTorch's when it changes while training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SGD {
    /// The step size `η`; 0.01 by default.
    pub learning_rate: f64,
    /// The share `μ` of the velocity kept from step to step; 0 by default.
    pub momentum: f64,
    /// Whether the step is taken from where the velocity leads (Nesterov, 1983): `w ← w + μ·v − η·g`.
    pub nesterov: bool,
}

impl SGD {
    /// Plain gradient descent with a step size.
    pub const fn new(learning_rate: f64) -> Self {
        Self { learning_rate, momentum: 0., nesterov: false }
    }
}

impl Default for SGD {
    fn default() -> Self {
        Self::new(0.01)
    }
}

impl Optimizer for SGD {
    fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0. { &[] } else { &["velocity"] }
    }

    fn update(&self, _step: u64, variable: &Var, gradient: &Tensor, slots: &Tensor) -> Result<()> {
        in_place::apply(self, variable, gradient, slots, None)
    }

    fn update_if_finite(&self, guard: &Tensor, _step: u64, variable: &Var, gradient: &Tensor, slots: &Tensor) -> Result<()> {
        in_place::apply(self, variable, gradient, slots, Some(guard))
    }
}

impl Rule for SGD {
    fn kernel(&self) -> (&'static str, Vec<Argument<'static>>) {
        match self.momentum == 0. {
            true => ("sgd", vec![self.learning_rate.into()]),
            false => {
                let nesterov = i32::from(self.nesterov);
                ("momentum", vec![self.learning_rate.into(), self.momentum.into(), nesterov.into()])
            }
        }
    }

    #[inline(always)]
    fn update<T: Float>(&self, weights: &mut [T], gradients: &[T], slots: &mut [&mut [T]]) {
        let (rate, momentum) = (cast::<T>(self.learning_rate), cast::<T>(self.momentum));
        let Some(velocities) = slots.first_mut() else {
            return weights.iter_mut().zip(gradients).for_each(|(w, g)| *w = *w - rate * *g);
        };
        for ((w, g), v) in weights.iter_mut().zip(gradients).zip(velocities.iter_mut()) {
            let velocity = or_zero(momentum * *v - rate * *g);
            let step = if self.nesterov { momentum * velocity - rate * *g } else { velocity };
            (*v, *w) = (velocity, *w + step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, gradients, trace};
    use super::*;
    use candle_core::DType;

    #[test]
    fn plain_steps_by_hand() {
        let found = trace(SGD::new(0.1), DType::F64, &[1., 2.], &[vec![1., -1.], vec![0.5, 0.]]);
        assert_close(&found, &[vec![0.9, 2.1], vec![0.85, 2.1]], 1e-15);
    }

    #[test]
    fn the_velocity_of_a_weight_without_gradients_ends_at_0() {
        let (mut weight, mut velocity) = ([1f32], [0f32]);
        for step in 1..1500 {
            let gradient = [if step == 1 { 0.01 } else { 0. }];
            Rule::update(&SGD { momentum: 0.9, ..SGD::new(0.1) }, &mut weight, &gradient, &mut [&mut velocity]);
            assert!(velocity[0] == 0. || velocity[0].is_normal(), "{:e}", velocity[0]);
        }
        assert_eq!(velocity, [0.]);
    }

    #[test]
    fn momentum_by_hand() {
        let optimizer = SGD { momentum: 0.9, ..SGD::new(0.1) };
        // v: −0.1, −0.09 − 0.1 = −0.19, −0.171 + 0.1 = −0.071
        let found = trace(optimizer, DType::F64, &[1.], &[vec![1.], vec![1.], vec![-1.]]);
        assert_close(&found, &[vec![0.9], vec![0.71], vec![0.639]], 1e-15);
        // steps: 0.9·(−0.1) − 0.1 = −0.19, 0.9·(−0.19) − 0.1 = −0.271, 0.9·(−0.071) + 0.1 = 0.0361
        let found = trace(SGD { nesterov: true, ..optimizer }, DType::F64, &[1.], &[vec![1.], vec![1.], vec![-1.]]);
        assert_close(&found, &[vec![0.81], vec![0.539], vec![0.5751]], 1e-15);
    }

    #[test]
    fn long_variables_in_f32_follow_the_formula_in_f64() {
        let (length, optimizer) = (40_000, SGD { momentum: 0.9, nesterov: true, ..SGD::new(0.1) });
        let gradients = gradients(length, 3);
        let (mut w, mut v) = (vec![1.; length], vec![0.; length]);
        let expected: Vec<Vec<f64>> = gradients
            .iter()
            .map(|g| {
                for i in 0..length {
                    v[i] = 0.9 * v[i] - 0.1 * g[i];
                    w[i] += 0.9 * v[i] - 0.1 * g[i];
                }
                w.clone()
            })
            .collect();
        assert_close(&trace(optimizer, DType::F32, &vec![1.; length], &gradients), &expected, 1e-6);
    }
}
