//! One pass over a variable, its gradient and its slots, that changes the variable and the slots where they are.

use super::super::late::is_finite;
use crate::gpu::{Argument, Gpu, Kernel, Work, write_to};
use crate::kernels;
use candle_core::{CpuStorage, DType, InplaceOp1, InplaceOp2, Layout, Result, Tensor, Var, bail};
use num_traits::Float;
use std::sync::Mutex;

/// The arithmetic of an optimizer.
pub(super) trait Rule: Sync {
    /// Moves `weights`, some elements of a variable; `gradients` and each of `slots` are of the same elements.
    fn update<T: Float>(&self, weights: &mut [T], gradients: &[T], slots: &mut [&mut [T]]);

    /// The kernel in `cuda/optimizer.cu` that does so on a GPU, and its last arguments.
    fn kernel(&self) -> (&'static str, Vec<Argument<'static>>);
}

/// Applies `rule` to every element, but not if `guard` is there and not a finite number.
pub(super) fn apply(rule: &impl Rule, variable: &Var, gradient: &Tensor, slots: &Tensor, guard: Option<&Tensor>) -> Result<()> {
    let gradient = gradient.contiguous()?;
    match Gpu::of(variable.device()) {
        Some(gpu) => on_gpu(gpu, rule, variable, &gradient, slots, guard),
        None if guard.map_or(Ok(true), is_finite)? => variable.inplace_op2(&gradient, &Update { rule, slots }),
        None => Ok(()),
    }
}

fn on_gpu(gpu: Gpu, rule: &impl Rule, variable: &Var, gradient: &Tensor, slots: &Tensor, guard: Option<&Tensor>) -> Result<()> {
    let (dtype, count) = (variable.dtype(), variable.elem_count());
    let is_one = |other: &Tensor| other.dtype() == dtype;
    if !matches!(dtype, DType::F32 | DType::F64) || !is_one(gradient) || !is_one(slots) || !guard.is_none_or(is_one) {
        bail!("an optimizer updates variables of f32 or f64 by gradients and slots of their type")
    }
    if gradient.elem_count() != count || !slots.elem_count().is_multiple_of(count.max(1)) {
        bail!("an optimizer updates {:?} by a gradient {:?} and slots {:?}", variable.dims(), gradient.dims(), slots.dims())
    }
    let written = if slots.elem_count() == 0 { vec![variable.as_tensor()] } else { vec![variable.as_tensor(), slots] };
    write_to(&written, &mut |lent| {
        let mut arguments: Vec<Argument> = lent;
        let (name, settings) = rule.kernel();
        arguments.extend([Argument::from(gradient), Argument::from(guard), Argument::from(count)]);
        arguments.extend(settings);
        // SAFETY: it reads `count` gradients, and changes as many weights and as many of each slot, which the rule's kernel has.
        unsafe { gpu.launch(&Kernel::new("optimizer", name, dtype), Work::Each(count), &mut arguments) }
    })
}

/// Has the variable to change and its gradient to read, and goes on to borrow the slots.
struct Update<'a, R> {
    rule: &'a R,
    slots: &'a Tensor,
}

impl<R: Rule> InplaceOp2 for Update<'_, R> {
    fn name(&self) -> &'static str {
        "optimizer-update"
    }

    fn cpu_fwd(&self, variable: &mut CpuStorage, at: &Layout, gradient: &CpuStorage, gradient_at: &Layout) -> Result<()> {
        let (Some((start, end)), Some((from, to))) = (at.contiguous_offsets(), gradient_at.contiguous_offsets()) else {
            bail!("an optimizer needs contiguous variables and gradients")
        };
        let operands = match (variable, gradient) {
            (CpuStorage::F32(weights), CpuStorage::F32(gradients)) => {
                Operands::F32(&mut weights[start..end], &gradients[from..to])
            }
            (CpuStorage::F64(weights), CpuStorage::F64(gradients)) => {
                Operands::F64(&mut weights[start..end], &gradients[from..to])
            }
            _ => bail!("an optimizer updates variables of f32 or f64"),
        };
        self.slots.inplace_op1(&UpdateWithSlots { rule: self.rule, operands: Mutex::new(operands) })
    }
}

enum Operands<'a> {
    F32(&'a mut [f32], &'a [f32]),
    F64(&'a mut [f64], &'a [f64]),
}

/// Has the slots to change too: candle lends one storage for writing at a time.
struct UpdateWithSlots<'a, R> {
    rule: &'a R,
    operands: Mutex<Operands<'a>>,
}

impl<R: Rule> InplaceOp1 for UpdateWithSlots<'_, R> {
    fn name(&self) -> &'static str {
        "optimizer-update"
    }

    fn cpu_fwd(&self, slots: &mut CpuStorage, _at: &Layout) -> Result<()> {
        let mut operands = self.operands.lock().expect("no other thread has it");
        match (&mut *operands, slots) {
            (Operands::F32(weights, gradients), CpuStorage::F32(slots)) => in_pieces(self.rule, weights, gradients, slots),
            (Operands::F64(weights, gradients), CpuStorage::F64(slots)) => in_pieces(self.rule, weights, gradients, slots),
            _ => bail!("the slots of an optimizer have the type of their variable"),
        }
        Ok(())
    }
}

/// Lets threads share the elements; each is computed by itself, so their number changes no bit.
fn in_pieces<T: Float + Send + Sync>(rule: &impl Rule, weights: &mut [T], gradients: &[T], slots: &mut [T]) {
    const PIECE: usize = 4 * 1024;
    let mut slots: Vec<_> = slots.chunks_mut(weights.len().max(1)).map(|slot| slot.chunks_mut(PIECE)).collect();
    let mut next_of_slots = || slots.iter_mut().map(|pieces| pieces.next().expect("as long as the variable")).collect::<Vec<_>>();
    let pieces: Vec<_> = weights.chunks_mut(PIECE).zip(gradients.chunks(PIECE)).map(|(w, g)| (w, g, next_of_slots())).collect();
    kernels::for_each(pieces, |(weights, gradients, mut slots)| {
        kernels::arch().dispatch(|| rule.update(weights, gradients, &mut slots));
    });
}

/// 0 in the place of a number below the normal ones.
///
/// What an optimizer remembers of a weight shrinks when its gradients are 0 from some step on, as behind a rectifier that never
/// opens again, and would stay the smallest number there is: processors, unlike GPUs, are many times slower with such than with
/// others.
#[inline(always)]
pub(super) fn or_zero<T: Float>(x: T) -> T {
    if x.abs() < T::min_positive_value() { T::zero() } else { x }
}

/// The square of a number, or 0 if it is below the normal ones.
#[inline(always)]
pub(super) fn square_or_zero<T: Float>(x: T) -> T {
    if x.abs() < T::min_positive_value().sqrt() { T::zero() } else { x * x }
}

/// A setting in the type of the tensors.
pub(super) fn cast<T: Float>(setting: f64) -> T {
    T::from(setting).expect("every f64 has a nearest float")
}
