//! The rectifier whose slope below 0 is learned.

use super::fill::in_chunks;
use super::norm::{add_up, piece};
use super::real::Real;
use super::share::map;
use super::simd::simd;
use super::sums::{fold_columns_on_gpu, sharers};
use super::weighted::{self, Ending, Gradients, Kept, TensorGradients, Wants, Weighted};
use crate::gpu::{Geometry, Gpu, Kernel, Work, arguments, tensor};
use crate::spec::{self, Activation};
use candle_core::{DType, Result, Shape, Storage, Tensor};

const FAMILY: &str = "prelu";

/// `x` if positive, else `weight·x`: `weight` has the axes of an example of `xs`, with 1 for those along which it is shared.
///
/// # Errors
/// If the weights do not spread to the examples.
pub(crate) fn prelu(xs: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let example = &xs.dims()[1..];
    let spreads = weight.rank() == example.len() && weight.dims().iter().zip(example).all(|(own, size)| *own == 1 || own == size);
    if !spreads {
        candle_core::bail!("`{}` has weights {:?} for examples {example:?}", PReLU::NAME, weight.dims());
    }
    let (dims, spreads) = (xs.dims().to_vec(), Spreads::new(xs.dims(), weight.dims())?);
    // On a GPU they follow from the sizes.
    let places = if Gpu::of(xs.device()).is_some() { Vec::new() } else { places(example, weight.dims()) };
    let op = PReLU { dims, places, spreads };
    weighted::apply(xs, weight, None, Activation::Linear, |_| op)
}

struct PReLU {
    dims: Vec<usize>,
    /// For each value of an example, the place of its weight.
    places: Vec<usize>,
    spreads: Spreads,
}

/// Along each axis of a batch, the last ones last, its size, and how far apart its weights are: 0 where it shares one. As in
/// `cuda/prelu.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Spreads {
    sizes: [i64; AXES],
    strides: [i64; AXES],
    /// Values of the batch.
    count: i64,
    weights: i64,
}

const AXES: usize = spec::Shape::MAX_RANK + 1;

// SAFETY: it is numbers of one size, and so are those of `cuda/prelu.cu`.
unsafe impl Geometry for Spreads {}

impl Spreads {
    /// Those of a batch of these sizes, and of weights of these for its examples.
    fn new(dims: &[usize], weight: &[usize]) -> Result<Self> {
        if dims.len() > AXES {
            candle_core::bail!("`{}` takes a batch of at most {AXES} axes, found {}", PReLU::NAME, dims.len());
        }
        let (mut sizes, mut strides, mut weights) = ([1; AXES], [0; AXES], 1);
        for (axis, size) in dims.iter().enumerate() {
            sizes[AXES - dims.len() + axis] = *size as i64;
        }
        for (axis, own) in weight.iter().enumerate().rev().filter(|(_, own)| **own > 1) {
            strides[AXES - weight.len() + axis] = weights;
            weights *= *own as i64;
        }
        Ok(Self { sizes, strides, count: sizes.iter().product(), weights })
    }
}

/// For each value of an example of these sizes, the place of its weight among weights of these sizes.
fn places(example: &[usize], weight: &[usize]) -> Vec<usize> {
    let mut places = vec![0];
    for (size, own) in example.iter().zip(weight) {
        let step = |place: usize, i: usize| place * own + if *own == 1 { 0 } else { i };
        places = places.into_iter().flat_map(|place| (0..*size).map(move |i| step(place, i))).collect();
    }
    places
}

simd! {
    fn rectify<T: Real>(ys: &mut [T], xs: &[T], slopes: &[T]) {
        for ((y, x), slope) in ys.iter_mut().zip(xs).zip(slopes) {
            *y = if *x > T::zero() { *x } else { *slope * *x };
        }
    }
}

simd! {
    fn scale_gradient<T: Real>(out: &mut [T], grad: &[T], xs: &[T], slopes: &[T]) {
        for (((out, g), x), slope) in out.iter_mut().zip(grad).zip(xs).zip(slopes) {
            *out = if *x > T::zero() { *g } else { *g * *slope };
        }
    }
}

impl PReLU {
    /// The slope of each value of an example.
    fn slopes<T: Real>(&self, weight: &[T]) -> Vec<T> {
        self.places.iter().map(|place| weight[*place]).collect()
    }
}

impl Weighted for PReLU {
    const NAME: &'static str = "PReLU";

    fn shape(&self) -> Shape {
        self.dims.as_slice().into()
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], _bias: Option<&[T]>) -> Vec<T> {
        let slopes = self.slopes(weight);
        let example = slopes.len();
        in_chunks(xs.len(), example, |number, ys| rectify(ys, &xs[number * example..][..ys.len()], &slopes))
    }

    fn backward<T: Real>(&self, xs: &[T], weight: &[T], _ys: &[T], grad: &[T], of_input: Option<Ending<T>>) -> Gradients<T> {
        let slopes = self.slopes(weight);
        let (example, length) = (slopes.len(), piece(slopes.len()));
        let pieces = map(grad.chunks(length).zip(xs.chunks(length)).collect(), |(grad, xs): (&[T], &[T])| {
            let mut sums = vec![0.0; weight.len()];
            for (i, (g, x)) in grad.iter().zip(xs).enumerate() {
                if *x <= T::zero() {
                    sums[self.places[i % example]] += (*g * *x).wide();
                }
            }
            sums
        });
        let mut sums = vec![0.0; weight.len()];
        pieces.iter().for_each(|piece| add_up(&mut sums, piece));
        let input = in_chunks(if of_input.is_some() { xs.len() } else { 0 }, example, |number, out| {
            let [grad, xs] = [grad, xs].map(|values| &values[number * example..][..out.len()]);
            scale_gradient(out, grad, xs, &slopes);
        });
        Gradients { input, weight: sums.into_iter().map(T::of).collect(), bias: Vec::new() }
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, _bias: Option<&Tensor>) -> Result<Storage> {
        let (count, dtype) = (xs.elem_count(), xs.dtype());
        let mut ys = gpu.empty(dtype, count)?;
        let kernel = Kernel::new(FAMILY, "prelu_values", dtype);
        // SAFETY: it reads and writes the `count` values of the batch, and reads the weights that its sizes spread to.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut ys, xs, weight, &self.spreads]) }?;
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, tensors: Kept, grad: &Tensor, wants: Wants) -> Result<TensorGradients> {
        let Kept { xs, weight, .. } = tensors;
        let (count, weights, dtype) = (xs.elem_count(), weight.elem_count(), xs.dtype());
        let sharers = sharers(count.checked_div(weights).unwrap_or(0), weights);
        let mut sums = gpu.empty(DType::F64, sharers * weights)?;
        let kernel = Kernel::new(FAMILY, "prelu_sums", dtype);
        let arguments = arguments![&mut sums, grad, xs, &self.spreads, sharers];
        // SAFETY: it reads the `count` values of both, and writes one for each sharer of each weight.
        unsafe { gpu.launch(&kernel, Work::Each(sharers * weights), arguments) }?;
        let of_weight = fold_columns_on_gpu(gpu, &sums, sharers, weights, dtype)?;
        let mut input = None;
        if wants.input {
            let mut out = gpu.empty(dtype, count)?;
            let kernel = Kernel::new(FAMILY, "prelu_gradients", dtype);
            // SAFETY: as in the forward pass; the gradient is of the output's shape, which is the input's.
            unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut out, grad, xs, weight, &self.spreads]) }?;
            input = Some(tensor(out, xs.shape()));
        }
        Ok(TensorGradients { input, weight: tensor(of_weight, weight.shape()), bias: None })
    }

    fn reads_output(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_axes_have_one_place() {
        assert_eq!(places(&[2, 3], &[2, 3]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(places(&[2, 3], &[1, 3]), [0, 1, 2, 0, 1, 2]);
        assert_eq!(places(&[2, 3], &[2, 1]), [0, 0, 0, 1, 1, 1]);
        assert_eq!(places(&[2, 2, 2], &[1, 2, 1]), [0, 0, 1, 1, 0, 0, 1, 1]);
    }

    #[cfg(feature = "emulated-cuda")]
    #[test]
    fn a_gpu_gives_the_same_however_threads_share_the_values() {
        for (dims, weight) in [
            (vec![40, 6, 5, 3], vec![1, 1, 3]),
            (vec![90, 6, 5, 3], vec![6, 1, 3]),
            (vec![400, 6], vec![6]),
            (vec![40, 6, 5], vec![1, 1]),
            (vec![2, 3, 4, 5, 6], vec![1, 4, 1, 6]),
        ] {
            let (places, spreads) = (places(&dims[1..], &weight), Spreads::new(&dims, &weight).unwrap());
            weighted::on_gpu::expect_the_same(&PReLU { dims: dims.clone(), places, spreads }, &dims, &weight, None);
        }
    }
}
