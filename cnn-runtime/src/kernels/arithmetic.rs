//! Products and differences of tensors of one shape, and multiples of one.
//!
//! Candle's own have right backward passes, of several passes over their tensors, and wake threads of candle's own; on the processor there
//! are others here, for inference and for the tape.

use super::fill::{CHUNK, in_chunks};
use super::op::{dispatch, with_slices};
use super::real::Real;
use super::simd::simd;
use super::tape;
use crate::gpu::{Gpu, tensor};
use candle_core::{DType, Result, Storage, Tensor};

/// `a · b`, element by element, of one shape.
pub(super) fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if !are_ours(&[a, b]) {
        return a * b;
    }
    let (a, b) = (a.contiguous()?, b.contiguous()?);
    noted(&[&a, &b], products(&a, &b)?, || {
        let (a, b) = (a.detach(), b.detach());
        move |grad| Ok(vec![products(grad, &b)?, products(grad, &a)?])
    })
}

/// `a − b`, element by element, of one shape.
pub(super) fn difference(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if !are_ours(&[a, b]) {
        return a - b;
    }
    let (a, b) = (a.contiguous()?, b.contiguous()?);
    noted(&[&a, &b], differences(&a, &b)?, || move |grad| Ok(vec![multiples(grad, 1.0, 0.0)?, multiples(grad, -1.0, 0.0)?]))
}

/// `scale · xs + offset`.
pub(crate) fn affine(xs: &Tensor, scale: f64, offset: f64) -> Result<Tensor> {
    if !are_ours(&[xs]) {
        return xs.affine(scale, offset);
    }
    let xs = xs.contiguous()?;
    noted(&[&xs], multiples(&xs, scale, offset)?, || move |grad| Ok(vec![multiples(grad, scale, 0.0)?]))
}

/// Whether it is for this crate to compute from these tensors: real numbers of one type on the processor, where what has to be differentiated
/// is noted on a tape.
fn are_ours(xs: &[&Tensor]) -> bool {
    let (device, dtype) = (xs[0].device(), xs[0].dtype());
    let are_real = matches!(dtype, DType::F32 | DType::F64) && xs.iter().all(|x| x.dtype() == dtype);
    let tracked = xs.iter().any(|x| x.track_op());
    are_real && device.is_cpu() && Gpu::of(device).is_none() && (!tracked || tape::is_recording(device))
}

/// The tensor of `values`, of the shape of `inputs`, noted on the tape if these have gradients, which `backward` makes of that of the values.
fn noted<B: FnOnce(&Tensor) -> Result<Vec<Storage>> + 'static>(
    inputs: &[&Tensor],
    values: Storage,
    backward: impl FnOnce() -> B,
) -> Result<Tensor> {
    let shape = inputs[0].shape().clone();
    if !inputs.iter().any(|input| input.track_op()) {
        return Ok(tensor(values, shape));
    }
    tape::note(inputs, values, shape.clone(), false, |_| {
        let backward = backward();
        Ok(Box::new(move |arrived, _| {
            let gradients = backward(&arrived.gradient.contiguous()?)?;
            Ok(gradients.into_iter().map(|values| Some(tensor(values, &shape))).collect())
        }))
    })
}

fn products(a: &Tensor, b: &Tensor) -> Result<Storage> {
    fn of<T: Real>(a: &Tensor, b: &Tensor) -> Result<Storage> {
        pairwise::<T>("Multiply", a, b, multiply)
    }
    dispatch!(a.dtype(), "Multiply", of(a, b))
}

fn differences(a: &Tensor, b: &Tensor) -> Result<Storage> {
    fn of<T: Real>(a: &Tensor, b: &Tensor) -> Result<Storage> {
        pairwise::<T>("Subtract", a, b, subtract)
    }
    dispatch!(a.dtype(), "Subtract", of(a, b))
}

fn multiples(xs: &Tensor, scale: f64, offset: f64) -> Result<Storage> {
    fn of<T: Real>(xs: &Tensor, scale: f64, offset: f64) -> Result<Storage> {
        let values = with_slices([xs], "affine", |[xs]: [&[T]; 1]| {
            in_chunks(xs.len(), CHUNK, |number, ys| scale_and_shift(&xs[number * CHUNK..], T::of(scale), T::of(offset), ys))
        })?;
        Ok(Storage::Cpu(T::to_cpu_storage_owned(values)))
    }
    dispatch!(xs.dtype(), "affine", of(xs, scale, offset))
}

/// What `merge` writes of each few elements of two tensors of one shape.
fn pairwise<T: Real>(name: &str, a: &Tensor, b: &Tensor, merge: fn(&[T], &[T], &mut [T])) -> Result<Storage> {
    let values = with_slices([a, b], name, |[a, b]: [&[T]; 2]| {
        in_chunks(a.len(), CHUNK, |number, ys| merge(&a[number * CHUNK..], &b[number * CHUNK..], ys))
    })?;
    Ok(Storage::Cpu(T::to_cpu_storage_owned(values)))
}

simd! {
    fn multiply<T: Real>(a: &[T], b: &[T], ys: &mut [T]) {
        for ((y, a), b) in ys.iter_mut().zip(a).zip(b) {
            *y = *a * *b;
        }
    }
}

simd! {
    fn subtract<T: Real>(a: &[T], b: &[T], ys: &mut [T]) {
        for ((y, a), b) in ys.iter_mut().zip(a).zip(b) {
            *y = *a - *b;
        }
    }
}

simd! {
    fn scale_and_shift<T: Real>(xs: &[T], scale: T, offset: T, ys: &mut [T]) {
        for (y, x) in ys.iter_mut().zip(xs) {
            *y = *x * scale + offset;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbers;
    use candle_core::{Device, Shape, Var};

    #[test]
    fn what_is_noted_on_the_tape_is_as_candle_has_it() {
        let shape = Shape::from((3, 41, 37, 2));
        let var = |seed: usize| {
            let values = numbers::<f64>(shape.elem_count(), seed);
            Var::from_tensor(&Tensor::from_vec(values, &shape, &Device::Cpu).unwrap()).unwrap()
        };
        let (a, b) = (var(1), var(2));
        type Merge = fn(&Tensor, &Tensor) -> Result<Tensor>;
        let pairs: [[Merge; 2]; 3] = [
            [product, |a, b| a * b],
            [difference, |a, b| a - b],
            [|a, b| affine(&product(a, b)?, 0.3, -2.0), |a, b| (a * b)?.affine(0.3, -2.0)],
        ];
        for [ours, candles] in pairs {
            let loss = |merge: Merge| (merge(&a, &b)? * a.sin()?)?.sum_all();
            let expected = loss(candles).unwrap().backward().unwrap();
            let (found, tape) = tape::record(|| loss(ours)).unwrap();
            assert_eq!(found.to_scalar::<f64>().unwrap(), loss(candles).unwrap().to_scalar::<f64>().unwrap());
            let mut gradients = tape.backward(&found).unwrap();
            for var in [&a, &b] {
                let difference = (gradients.take(var.id()).unwrap() - expected.get(var).unwrap()).unwrap();
                assert_eq!(difference.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap(), 0.0);
            }
        }
    }
}
