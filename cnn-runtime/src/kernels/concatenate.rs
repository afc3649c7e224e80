//! Several tensors side by side.
//!
//! Candle's own concatenation has a right backward pass, of several passes over its tensors; on the processor there is one here, for the tape.

use super::fill::{CHUNK, in_chunks};
use super::merge::given;
use super::op::{dispatch, slice_on_cpu, with_slices};
use super::real::Real;
use super::tape;
use crate::gpu::{Gpu, tensor};
use candle_core::{DType, Result, Shape, Storage, Tensor};

/// Tensors one after the other along `axis`, the batch being axis 0.
pub(crate) fn concatenate(xs: &[&Tensor], axis: usize) -> Result<Tensor> {
    let first = given("Concatenate", xs)?;
    for x in xs {
        let agrees = |(i, (a, b)): (usize, (&usize, &usize))| i == axis || a == b;
        if x.rank() != first.rank() || axis >= x.rank() || !x.dims().iter().zip(first.dims()).enumerate().all(agrees) {
            candle_core::bail!(
                "`Concatenate` needs equal sizes but along axis {axis}, found {:?} and {:?}",
                first.dims(),
                x.dims()
            );
        }
    }
    let is_float = matches!(first.dtype(), DType::F32 | DType::F64) && xs.iter().all(|x| x.dtype() == first.dtype());
    let tracked = xs.iter().any(|x| x.track_op());
    let is_ours = first.device().is_cpu() && Gpu::of(first.device()).is_none();
    if !is_float || !is_ours || (tracked && !tape::is_recording(first.device())) {
        return Tensor::cat(xs, axis);
    }
    let xs = xs.iter().map(|x| x.contiguous()).collect::<Result<Vec<Tensor>>>()?;
    let mut dims = first.dims().to_vec();
    dims[axis] = xs.iter().map(|x| x.dims()[axis]).sum();
    let values = dispatch!(first.dtype(), "Concatenate", side_by_side(&xs, axis))?;
    if !tracked {
        return Ok(tensor(values, dims));
    }
    let shapes: Vec<Shape> = xs.iter().map(|x| x.shape().clone()).collect();
    tape::note(&xs.iter().collect::<Vec<_>>(), values, dims.into(), false, move |_| {
        Ok(Box::new(move |arrived, _| {
            let grad = arrived.gradient.contiguous()?;
            let parts = dispatch!(grad.dtype(), "Concatenate", parts(&grad, &shapes, axis))?;
            Ok(parts.into_iter().map(Some).collect())
        }))
    })
}

/// The values of tensors that follow each other along `axis`: a row of each, of what lies along that axis and those after it, by turns.
fn side_by_side<T: Real>(xs: &[Tensor], axis: usize) -> Result<Storage> {
    let widths: Vec<usize> = xs.iter().map(|x| x.dims()[axis..].iter().product()).collect();
    let width: usize = widths.iter().sum();
    let chunk = CHUNK.next_multiple_of(width.max(1));
    let len = xs.iter().map(Tensor::elem_count).sum();
    let storages: Vec<_> = xs.iter().map(Tensor::storage_and_layout).collect();
    let slices = storages.iter().map(|(storage, layout)| slice_on_cpu::<T>(storage, layout, "Concatenate"));
    let slices = slices.collect::<Result<Vec<&[T]>>>()?;
    let values = in_chunks(len, chunk, |number, values| {
        for (row, values) in values.chunks_exact_mut(width).enumerate() {
            let (row, mut rest) = (number * (chunk / width) + row, values);
            for (slice, width) in slices.iter().zip(&widths) {
                let (part, after) = rest.split_at_mut(*width);
                part.copy_from_slice(&slice[row * width..][..*width]);
                rest = after;
            }
        }
    });
    Ok(Storage::Cpu(T::to_cpu_storage_owned(values)))
}

/// The parts of these shapes that [`side_by_side`] has put together, of a tensor of its output's shape.
fn parts<T: Real>(whole: &Tensor, shapes: &[Shape], axis: usize) -> Result<Vec<Tensor>> {
    let width: usize = whole.dims()[axis..].iter().product();
    let mut start = 0;
    let part = |shape: &Shape| {
        let (first, len) = (start, shape.dims()[axis..].iter().product::<usize>());
        start += len;
        let values = with_slices([whole], "Concatenate", |[whole]: [&[T]; 1]| {
            let chunk = CHUNK.next_multiple_of(len.max(1));
            in_chunks(shape.elem_count(), chunk, |number, values| {
                let rows = whole.chunks_exact(width).skip(number * (chunk / len));
                for (values, row) in values.chunks_exact_mut(len).zip(rows) {
                    values.copy_from_slice(&row[first..first + len]);
                }
            })
        })?;
        Tensor::from_vec(values, shape.clone(), whole.device())
    };
    shapes.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbers;
    use candle_core::{Device, Var};

    #[test]
    fn what_is_side_by_side_on_the_tape_is_as_candle_has_it() {
        for (sizes, axis) in [([3, 70, 1], 3), ([2, 1, 5], 1), ([4, 4, 9], 2), ([1, 2, 3], 0)] {
            let tensor = |(seed, size): (usize, usize)| {
                let mut dims = [5, 13, 11, 7];
                dims[axis] = size;
                let values = numbers::<f64>(dims.iter().product(), seed);
                Var::from_tensor(&Tensor::from_vec(values, &dims, &Device::Cpu).unwrap()).unwrap()
            };
            let vars: Vec<Var> = (1..).zip(sizes).map(tensor).collect();
            let xs: Vec<&Tensor> = vars.iter().map(Var::as_tensor).collect();
            let loss = |whole: &Tensor| (whole * whole.sin().unwrap()).unwrap().sum_all().unwrap();
            let expected = Tensor::cat(&xs, axis).unwrap();
            let gradients = loss(&expected).backward().unwrap();
            let ((whole, found), tape) = tape::record(|| {
                let whole = concatenate(&xs, axis)?;
                Ok((whole.clone(), loss(&whole)))
            })
            .unwrap();
            let mut passed = tape.backward(&found).unwrap();
            let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            assert_eq!(whole.dims(), expected.dims());
            assert_eq!(values(&whole), values(&expected));
            let detached: Vec<Tensor> = xs.iter().map(|x| x.detach()).collect();
            let untracked = concatenate(&detached.iter().collect::<Vec<_>>(), axis).unwrap();
            assert_eq!(values(&untracked), values(&expected));
            for x in xs {
                let gradient = passed.take(x.id()).expect("a gradient of each");
                assert_eq!(gradient.dims(), x.dims());
                assert_eq!(values(&gradient), values(gradients.get(x).unwrap()));
            }
        }
    }
}
