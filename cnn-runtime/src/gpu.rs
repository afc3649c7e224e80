//! A GPU as this crate's own kernels see it: memory on it, and launches of the kernels in `cuda/`.
//!
//! Behind it is candle's CUDA device (feature `cuda`) or, so that tests need no GPU, the processor (feature `emulated-cuda`,
//! and `CNN_EMULATE_CUDA` in the environment), which runs the same kernels on candle's CPU tensors. Operations do not see
//! which. Everything is put on candle's stream of the device, and nothing waits for it.

mod argument;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(feature = "cudnn")]
mod cudnn;
#[cfg(feature = "emulated-cuda")]
mod emulated;
mod factor;
mod lend;
mod trouble;
mod window;

pub(crate) use argument::{Argument, Geometry, arguments};
pub(crate) use lend::write_to;
pub(crate) use trouble::{Trouble, trouble};
pub(crate) use window::{Window, on_three_axes};

use crate::Precision;
#[cfg(any(feature = "cuda", feature = "emulated-cuda"))]
use candle_core::backend::BackendDevice;
use candle_core::op::BackpropOp;
use candle_core::{DType, Device, Error, Result, Shape, Storage, Tensor};

/// A GPU that tensors are on.
#[derive(Clone, Copy)]
pub(crate) enum Gpu<'a> {
    #[cfg(feature = "cuda")]
    Cuda(&'a candle_core::CudaDevice),
    #[cfg(feature = "emulated-cuda")]
    Emulated(emulated::Launches),
    /// There is none in this build.
    #[allow(dead_code)]
    None(std::convert::Infallible, std::marker::PhantomData<&'a ()>),
}

/// A kernel in `cuda/`: one of a family, a file, which is compiled for each type of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    family: &'static str,
    name: String,
    dtype: DType,
}

impl Kernel {
    /// The kernel `name` of `cuda/family.cu`, compiled for tensors of `dtype`, `f32` or `f64`.
    pub(crate) fn new(family: &'static str, name: impl Into<String>, dtype: DType) -> Self {
        Self { family, name: name.into(), dtype }
    }
}

/// How much work there is for a kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// So many values, a thread for each: `EACH`.
    Each(usize),
    /// So many blocks, whose threads share `width` values: `EACH_BLOCK`, and `EACH_THREAD` within.
    Blocks { count: usize, width: usize },
}

impl Work {
    /// `MOST_THREADS` in `cuda/kernel.h`.
    const MOST_THREADS: usize = 256;
    /// Threads that run in step.
    const WARP: usize = 32;
    /// More blocks than any GPU runs at once; kernels walk on from there.
    const MOST_BLOCKS: usize = 1 << 20;

    /// The blocks and the threads in each; no blocks if there is nothing to do.
    fn grid(self) -> (u32, u32) {
        let (blocks, threads) = match self {
            Work::Each(count) => (count.div_ceil(Self::MOST_THREADS), Self::MOST_THREADS),
            Work::Blocks { count, width } => (count, width.next_multiple_of(Self::WARP).clamp(Self::WARP, Self::MOST_THREADS)),
        };
        (blocks.min(Self::MOST_BLOCKS) as u32, threads as u32)
    }
}

impl<'a> Gpu<'a> {
    /// The GPU that `device` is, or that the processor stands for; `None` for others.
    pub(crate) fn of(device: &'a Device) -> Option<Self> {
        match device {
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => Some(Gpu::Cuda(device)),
            #[cfg(feature = "emulated-cuda")]
            Device::Cpu => emulated::launches().map(Gpu::Emulated),
            _ => None,
        }
    }

    /// Memory for `len` values, whatever is in it; where it is emulated, not a number, so that tests see what is not written.
    pub(crate) fn empty(self, dtype: DType, len: usize) -> Result<Storage> {
        match self {
            #[cfg(feature = "cuda")]
            Gpu::Cuda(device) => cuda::empty(device, dtype, len),
            #[cfg(feature = "emulated-cuda")]
            Gpu::Emulated(_) => emulated::empty(dtype, len),
            Gpu::None(never, _) => never_of(never, (dtype, len)),
        }
    }

    /// The bytes of its memory that nobody uses; where it is emulated, all that can be.
    pub(crate) fn free_memory(self) -> Result<usize> {
        match self {
            #[cfg(feature = "cuda")]
            Gpu::Cuda(device) => cuda::free_memory(device),
            #[cfg(feature = "emulated-cuda")]
            Gpu::Emulated(_) => Ok(usize::MAX),
            Gpu::None(never, _) => never_of(never, ()),
        }
    }

    /// Puts `kernel` on the stream.
    ///
    /// # Errors
    /// If there is no such kernel or the device refuses; where it is emulated, also if the arguments are of other types
    /// than its parameters, or it reaches beyond an array.
    ///
    /// # Safety
    /// The arguments are those that the kernel takes, in type and order, and it stays within their arrays.
    pub(crate) unsafe fn launch(self, kernel: &Kernel, work: Work, arguments: &mut [Argument]) -> Result<()> {
        let grid = work.grid();
        if grid.0 == 0 {
            return Ok(());
        }
        match self {
            #[cfg(feature = "cuda")]
            // SAFETY: that of this function.
            Gpu::Cuda(device) => unsafe { cuda::launch(device, kernel, grid, arguments) },
            #[cfg(feature = "emulated-cuda")]
            // SAFETY: that of this function.
            Gpu::Emulated(launches) => unsafe { emulated::launch(launches, kernel, grid, arguments) },
            Gpu::None(never, _) => never_of(never, (kernel, grid, arguments)),
        }
    }

    /// Memory for `len` values, all 0.
    pub(crate) fn zeros(self, dtype: DType, len: usize) -> Result<Storage> {
        match self {
            #[cfg(feature = "cuda")]
            Gpu::Cuda(device) => device.zeros_impl(&len.max(1).into(), dtype).map(Storage::Cuda),
            #[cfg(feature = "emulated-cuda")]
            Gpu::Emulated(_) => candle_core::cpu_backend::CpuDevice.zeros_impl(&len.into(), dtype).map(Storage::Cpu),
            Gpu::None(never, _) => never_of(never, (dtype, len)),
        }
    }

    /// The product of `a`, `M, K`, and `b`, `K, N`, by cuBLAS: `M, N`.
    pub(crate) fn matmul(self, a: &Tensor, b: &Tensor, precision: Precision) -> Result<Storage> {
        let ((m, k), (_, n)) = (a.dims2()?, b.dims2()?);
        if k == 0 {
            return self.zeros(a.dtype(), m * n);
        }
        let mut product = self.empty(a.dtype(), m * n)?;
        let place = Place { first: 0, row: n, matrix: m * n, onto: Onto::Nothing };
        self.products(&a.unsqueeze(0)?, &b.unsqueeze(0)?, &mut product, place, precision)?;
        Ok(product)
    }

    /// Writes the products of each of `a`, `B, M, K`, and `b`, `B, K, N`, into `out`, by cuBLAS.
    ///
    /// # Errors
    /// If sizes do not agree, or neither the rows nor the columns of a matrix lie one value after the other.
    pub(crate) fn products(self, a: &Tensor, b: &Tensor, out: &mut Storage, place: Place, precision: Precision) -> Result<()> {
        let ((count, m, k), (others, inner, n)) = (a.dims3()?, b.dims3()?);
        if count != others || k != inner || k == 0 {
            candle_core::bail!("{count} products of {m}×{k} and {others} of {inner}×{n}");
        }
        if count * m * n == 0 {
            return Ok(());
        }
        match self {
            #[cfg(feature = "cuda")]
            Gpu::Cuda(device) => cuda::products(device, a, b, out, place, precision),
            #[cfg(feature = "emulated-cuda")]
            Gpu::Emulated(_) => emulated::products(a, b, out, place),
            Gpu::None(never, _) => never_of(never, (out, place, precision)),
        }
    }

    /// What `pass` of `convolution` computes of two tensors, by cuDNN; `None` if it is not in this build or has no way to.
    pub(crate) fn convolve(self, convolution: &Convolution, pass: Pass, tensors: [&Tensor; 2]) -> Result<Option<Storage>> {
        match self {
            #[cfg(feature = "cudnn")]
            Gpu::Cuda(device) => cudnn::convolve(device, convolution, pass, tensors),
            #[cfg(all(feature = "cuda", not(feature = "cudnn")))]
            Gpu::Cuda(_) => Ok(None),
            #[cfg(feature = "emulated-cuda")]
            Gpu::Emulated(_) => Ok(None),
            Gpu::None(never, _) => never_of(never, (convolution, pass, tensors)),
        }
    }

    /// Whether [`convolve`](Self::convolve) ever computes anything.
    pub(crate) fn has_cudnn(self) -> bool {
        cfg!(feature = "cudnn") && !self.is_emulated()
    }

    fn is_emulated(self) -> bool {
        #[cfg(feature = "emulated-cuda")]
        return matches!(self, Gpu::Emulated(_));
        #[cfg(not(feature = "emulated-cuda"))]
        false
    }
}

/// Where matrices of products are written: the first from value `first` on, the others `matrix` values further each, with
/// rows `row` values apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) first: usize,
    pub(crate) row: usize,
    pub(crate) matrix: usize,
    pub(crate) onto: Onto,
}

impl Place {
    /// One past the last value of `count` matrices of `m` rows of `n` values.
    #[cfg(any(feature = "cuda", feature = "emulated-cuda"))]
    fn end(&self, (count, m, n): (usize, usize, usize)) -> usize {
        self.first + (count - 1) * self.matrix + (m - 1) * self.row + n
    }
}

/// What is where products are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Onto {
    /// Nothing that is kept.
    Nothing,
    /// Values that the products are added to.
    Sums,
}

/// A convolution of `window.channels` channels, as cuDNN is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Convolution {
    pub(crate) window: Window,
    pub(crate) filters: usize,
    pub(crate) groups: usize,
    pub(crate) precision: Precision,
}

/// What is computed of a convolution, and of which tensors. Images are `N, H, W, C`, weights `F, KH, KW, C / groups`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pass {
    /// The output, of images and weights.
    Values,
    /// The gradient of the images, of weights and the gradient of the output.
    InputGradient,
    /// The gradient of the weights, of images and the gradient of the output.
    WeightGradient,
}

#[cfg(all(test, feature = "emulated-cuda"))]
impl Gpu<'static> {
    /// The processor in its place, whatever the environment asks for: two blocks of three threads.
    pub(crate) fn emulated() -> Self {
        Gpu::Emulated(emulated::Launches::new(2, 3))
    }
}

/// What there is of a build without GPUs for what one is asked to do.
fn never_of<A, R>(never: std::convert::Infallible, _asked: A) -> R {
    match never {}
}

/// The values of `storage` as a tensor without a gradient.
pub(crate) fn tensor(storage: Storage, shape: impl Into<Shape>) -> Tensor {
    Tensor::from_storage(storage, shape, BackpropOp::none(), false)
}

/// That an operation cannot run on a GPU.
pub(crate) fn no_path(name: &str) -> Error {
    Error::Msg(format!("`{name}` has no CUDA path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_has_a_grid_that_devices_take() {
        assert_eq!(Work::Each(0).grid().0, 0);
        assert_eq!(Work::Each(257).grid(), (2, 256));
        assert_eq!(Work::Each(1 << 40).grid(), (1 << 20, 256));
        assert_eq!(Work::Blocks { count: 3, width: 10 }.grid(), (3, 32));
        assert_eq!(Work::Blocks { count: 3, width: 1000 }.grid(), (3, 256));
        assert_eq!(Work::Blocks { count: 1, width: 0 }.grid(), (1, 32));
    }

    #[cfg(not(any(feature = "cuda", feature = "emulated-cuda")))]
    #[test]
    fn a_build_without_it_has_none() {
        assert!(Gpu::of(&Device::Cpu).is_none());
    }
}
