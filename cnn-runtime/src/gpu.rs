//! A GPU as this crate's own kernels see it: memory on it, and launches of the kernels in `cuda/`.
//!
//! Behind it is candle's CUDA device (feature `cuda`) or, so that tests need no GPU, the processor (feature `emulated-cuda`,
//! and `CNN_EMULATE_CUDA` in the environment), which runs the same kernels on candle's CPU tensors. Operations do not see
//! which. Everything is put on candle's stream of the device, and nothing waits for it.

mod argument;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(feature = "emulated-cuda")]
mod emulated;

pub(crate) use argument::{Argument, Geometry, arguments};

use candle_core::backend::BackendStorage;
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

    /// The product of `a`, `M, K`, and `b`, `K, N`, by candle, which has it from cuBLAS: `M, N`.
    pub(crate) fn matmul(self, a: &Tensor, b: &Tensor) -> Result<Storage> {
        let ((m, k), (inner, n)) = (a.dims2()?, b.dims2()?);
        if k != inner {
            candle_core::bail!("a product of {m}×{k} and {inner}×{n}");
        }
        let ((a, a_at), (b, b_at)) = (a.storage_and_layout(), b.storage_and_layout());
        match (&*a, &*b) {
            (Storage::Cpu(a), Storage::Cpu(b)) => a.matmul(b, (1, m, n, k), a_at, b_at).map(Storage::Cpu),
            (Storage::Cuda(a), Storage::Cuda(b)) => a.matmul(b, (1, m, n, k), a_at, b_at).map(Storage::Cuda),
            _ => candle_core::bail!("a product of tensors on different devices"),
        }
    }
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
