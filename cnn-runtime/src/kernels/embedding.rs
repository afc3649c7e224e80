//! The vectors of symbols, rows of a table.

use super::op::{Unary, apply};
use super::real::Real;
use crate::gpu::{Gpu, Kernel, Work, arguments};
use candle_core::{DType, Result, Shape, Storage, Tensor};

/// The rows of `vectors`, `S, L`, that `symbols`, whole numbers in a tensor of any type, say: `…, L`.
///
/// # Errors
/// If a number is not whole, or is not below `S`; but on a GPU, where nothing waits for the numbers to be looked at, such a
/// number's vector is not a number.
pub(crate) fn embed(vectors: &Tensor, symbols: &Tensor) -> Result<Tensor> {
    let (most, length) = vectors.dims2()?;
    let shape = [symbols.dims(), &[length]].concat();
    let symbols = symbols.detach().flatten_all()?.to_dtype(DType::F64)?.contiguous()?;
    if Gpu::of(vectors.device()).is_some() {
        return apply(vectors, Embedding { symbols: Vec::new(), on_gpu: Some(symbols), shape });
    }
    let values = symbols.to_vec1::<f64>()?;
    if let Some(place) = values.iter().position(|x| !(*x >= 0.0 && *x < most as f64 && x.fract() == 0.0)) {
        let (example, found) = (place / (values.len() / shape[0]), values[place]);
        candle_core::bail!(
            "`{NAME}` takes whole numbers from 0 to {}, found {found} in example {example} of the batch",
            most - 1
        );
    }
    apply(vectors, Embedding { symbols: values.into_iter().map(|x| x as usize).collect(), on_gpu: None, shape })
}

const NAME: &str = "Embedding";

/// The symbols are in one of the two.
struct Embedding {
    symbols: Vec<usize>,
    on_gpu: Option<Tensor>,
    /// The shape of the output.
    shape: Vec<usize>,
}

impl Unary for Embedding {
    fn name(&self) -> &'static str {
        NAME
    }

    fn shape(&self, _dims: &[usize]) -> Shape {
        self.shape.as_slice().into()
    }

    fn forward<T: Real>(&self, vectors: &[T], dims: &[usize]) -> Vec<T> {
        self.symbols.iter().flat_map(|symbol| &vectors[symbol * dims[1]..][..dims[1]]).copied().collect()
    }

    fn backward<T: Real>(&self, _vectors: &[T], _ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let mut sums = vec![T::zero(); dims[0] * dims[1]];
        for (symbol, grad) in self.symbols.iter().zip(grad.chunks(dims[1].max(1))) {
            sums[symbol * dims[1]..][..dims[1]].iter_mut().zip(grad).for_each(|(sum, g)| *sum += *g);
        }
        sums
    }

    fn forward_on_gpu(&self, gpu: Gpu, vectors: &Tensor) -> Result<Storage> {
        let (count, dtype) = (self.shape.iter().product(), vectors.dtype());
        let (most, length) = vectors.dims2()?;
        let mut ys = gpu.empty(dtype, count)?;
        let kernel = Kernel::new(FAMILY, "embedding_values", dtype);
        let symbols = count.checked_div(length).unwrap_or(0);
        let arguments = arguments![&mut ys, vectors, self.on_gpu.as_ref(), symbols, length, most];
        // SAFETY: it reads as many symbols as the shape says, and vectors of those alone that are below `most`, and writes
        // `count` values.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments) }?;
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, _vectors: &Tensor, _ys: &Tensor, grad: &Tensor, dims: &[usize]) -> Result<Storage> {
        let (dtype, most, length) = (grad.dtype(), dims[0], dims[1]);
        let mut out = gpu.empty(dtype, most * length)?;
        let symbols = grad.elem_count().checked_div(length).unwrap_or(0);
        let kernel = Kernel::new(FAMILY, "embedding_gradients", dtype);
        let work = Work::Blocks { count: most, width: symbols.max(length) };
        let arguments = arguments![&mut out, self.on_gpu.as_ref(), grad, symbols, length, most];
        // SAFETY: it reads the symbols and their gradients, and writes `length` values for each of `most` vectors.
        unsafe { gpu.launch(&kernel, work, arguments) }?;
        Ok(out)
    }

    fn reads_input(&self) -> bool {
        false
    }

    fn reads_output(&self) -> bool {
        false
    }
}

const FAMILY: &str = "embedding";

#[cfg(all(test, feature = "emulated-cuda"))]
mod tests {
    use super::*;
    use crate::gpu::tensor;
    use crate::kernels::op::on_gpu::{expect_the_same, values};
    use candle_core::Device;

    fn op(symbols: &[f64]) -> Embedding {
        let on_gpu = Some(Tensor::new(symbols, &Device::Cpu).unwrap());
        Embedding { symbols: symbols.iter().map(|x| *x as usize).collect(), on_gpu, shape: vec![symbols.len(), 4] }
    }

    #[test]
    fn a_gpu_gives_the_same_wherever_symbols_appear() {
        expect_the_same(&op(&[3., 1., 3., 0., 3., 1., 6.]), &[7, 4]);
        expect_the_same(&op(&[2.]), &[3, 4]);
    }

    #[test]
    fn what_is_no_symbol_is_no_number_on_a_gpu() {
        let vectors = Tensor::ones((3, 4), DType::F64, &Device::Cpu).unwrap();
        let symbols = [0., 3., 2., -1., 0.5, f64::NAN];
        let ys = op(&symbols).forward_on_gpu(Gpu::emulated(), &vectors).unwrap();
        let is_number: Vec<bool> = values(&tensor(ys, (6, 4))).chunks(4).map(|vector| vector == [1.0; 4]).collect();
        assert_eq!(is_number, [true, false, true, false, false, false]);
    }
}
