//! Optimizers: how gradients move weights.

mod adam;
mod in_place;
mod sgd;

pub use adam::Adam;
pub use sgd::SGD;

use super::late::settle;
use super::step::Gradient;
use candle_core::{Device, Result, Tensor, Var};
use std::collections::HashMap;

/// How a gradient moves a variable.
///
/// An optimizer is its settings alone. What it remembers of earlier gradients is kept for it, by the name of the variable,
/// in *slots*: tensors of the variable's shape that begin at 0.
pub trait Optimizer: Send {
    /// The names of its slots, such as `m` and `v`.
    fn slots(&self) -> &'static [&'static str];

    /// Moves `variable` in place, against `gradient`, in the `step`-th step from 1.
    ///
    /// `slots` holds its slots along a first axis: a variable `O, I` has slots `S, O, I`.
    ///
    /// # Errors
    /// If the device or the type of the tensors is not one it can work on.
    fn update(&self, step: u64, variable: &Var, gradient: &Tensor, slots: &Tensor) -> Result<()>;

    /// As [`update`](Self::update) if `guard`, a scalar on the device, is a finite number; else nothing changes.
    ///
    /// This is what training on a GPU calls, where nothing waits for the loss to be known. As it is, it keeps copies of the
    /// variable and the slots; an optimizer with kernels of its own need not.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    fn update_if_finite(&self, guard: &Tensor, step: u64, variable: &Var, gradient: &Tensor, slots: &Tensor) -> Result<()> {
        let kept = [variable.as_tensor(), slots].into_iter().filter(|tensor| tensor.elem_count() > 0);
        let kept = kept.map(|tensor| Ok((tensor.clone(), tensor.detach().copy()?))).collect::<Result<Vec<_>>>()?;
        self.update(step, variable, gradient, slots)?;
        kept.iter().try_for_each(|(now, before)| settle(now, before, guard))
    }
}

/// An optimizer with what it remembers.
pub(crate) struct Updater {
    optimizer: Box<dyn Optimizer>,
    steps: u64,
    slots: HashMap<String, Tensor>,
}

impl Updater {
    pub fn new(optimizer: Box<dyn Optimizer>) -> Self {
        Self { optimizer, steps: 0, slots: HashMap::new() }
    }

    /// One step for every variable that has a gradient; on a GPU, only if `guard` is a finite number.
    pub fn apply(&mut self, gradients: &[Gradient], guard: Option<&Tensor>) -> Result<()> {
        self.steps += 1;
        for Gradient { name, variable, value } in gradients {
            if !self.slots.contains_key(*name) {
                let dims = [&[self.optimizer.slots().len()], variable.dims()].concat();
                // No device but the CPU has tensors without values.
                let device = if dims[0] == 0 { &Device::Cpu } else { variable.device() };
                self.slots.insert(name.to_string(), Tensor::zeros(dims, variable.dtype(), device)?);
            }
            let slots = &self.slots[*name];
            match guard {
                Some(guard) => self.optimizer.update_if_finite(guard, self.steps, variable, value, slots)?,
                None => self.optimizer.update(self.steps, variable, value, slots)?,
            }
        }
        Ok(())
    }

    /// Takes back the count of so many steps, which changed nothing.
    pub fn forget(&mut self, steps: u64) {
        self.steps -= steps;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use candle_core::DType;

    /// The values of a variable that starts at `start`, after each step of a sequence of gradients.
    pub fn trace(optimizer: impl Optimizer + 'static, dtype: DType, start: &[f64], gradients: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let tensor = |values: &[f64]| Tensor::new(values, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let variable = Var::from_tensor(&tensor(start)).unwrap();
        let mut updater = Updater::new(Box::new(optimizer));
        let step = |gradient: &Vec<f64>| {
            updater.apply(&[Gradient { name: "w", variable: &variable, value: tensor(gradient) }], None).unwrap();
            variable.to_dtype(DType::F64).unwrap().to_vec1().unwrap()
        };
        gradients.iter().map(step).collect()
    }

    pub fn assert_close(found: &[Vec<f64>], expected: &[Vec<f64>], tolerance: f64) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() <= tolerance * expected.abs().max(1.), "{found} is not {expected}");
        }
    }

    /// Gradients that differ from element to element and from step to step.
    pub fn gradients(length: usize, steps: usize) -> Vec<Vec<f64>> {
        (0..steps).map(|step| (0..length).map(|i| ((i * 7 + step * 3) as f64).sin()).collect()).collect()
    }

    /// Gradient descent in candle's own operations, which counts its steps in its slot.
    struct Plain;

    impl Optimizer for Plain {
        fn slots(&self) -> &'static [&'static str] {
            &["steps"]
        }

        fn update(&self, _step: u64, variable: &Var, gradient: &Tensor, slots: &Tensor) -> Result<()> {
            variable.set(&(variable.as_tensor() - gradient)?)?;
            slots.slice_set(&(slots.copy()? + 1.)?, 0, 0)
        }
    }

    #[test]
    fn a_guard_that_is_no_finite_number_keeps_weights_and_slots() {
        let sgd = SGD::new(0.1);
        let all: [Box<dyn Optimizer>; 4] =
            [Box::new(Plain), Box::new(Adam::new(0.1)), Box::new(sgd), Box::new(SGD { momentum: 0.9, ..sgd })];
        for optimizer in all {
            let variable = Var::new(&[[1f32, -2.], [3., 4.]], &Device::Cpu).unwrap();
            let slots = Tensor::zeros((optimizer.slots().len(), 2, 2), DType::F32, &Device::Cpu).unwrap();
            let state = || [variable.flatten_all().unwrap(), slots.flatten_all().unwrap()].map(|t| t.to_vec1::<f32>().unwrap());
            let before = state();
            let gradient = Tensor::ones((2, 2), DType::F32, &Device::Cpu).unwrap();
            let update = |guard: f32| {
                let guard = Tensor::new(guard, &Device::Cpu).unwrap();
                optimizer.update_if_finite(&guard, 1, &variable, &gradient, &slots).unwrap();
            };
            update(f32::NAN);
            update(f32::INFINITY);
            assert_eq!(state(), before);
            update(7.);
            let after = state();
            assert!(after[0].iter().zip(&before[0]).all(|(a, b)| a < b), "{after:?}");
            assert_eq!(after[1] == before[1], slots.elem_count() == 0);
        }
    }

    #[test]
    fn every_variable_has_slots_of_its_own() {
        let var = || Var::zeros(2, DType::F32, &Device::Cpu).unwrap();
        let (a, b) = (var(), var());
        let one = Tensor::ones(2, DType::F32, &Device::Cpu).unwrap();
        let mut updater = Updater::new(Box::new(SGD { momentum: 0.9, ..SGD::new(1.) }));
        updater.apply(&[Gradient { name: "a", variable: &a, value: one.clone() }], None).unwrap();
        let both = [Gradient { name: "b", variable: &b, value: one.clone() }, Gradient { name: "a", variable: &a, value: one }];
        updater.apply(&both, None).unwrap();
        assert_eq!(b.to_vec1::<f32>().unwrap(), [-1.; 2]);
        assert_eq!(a.to_vec1::<f32>().unwrap(), [-1. - 1.9; 2]);
    }
}
