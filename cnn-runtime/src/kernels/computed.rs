//! Outputs that are computed before candle is told of the operation.
//!
//! An operation is computed in one place, from tensors, whatever their device and whether it is noted on a tape or in
//! candle's graph. What candle calls to compute it then only takes what is there.

use candle_core::{CpuStorage, CudaStorage, Result, Shape, Storage};
use std::sync::Mutex;

/// The output of an operation, until candle takes it.
pub(crate) struct Computed(Mutex<Option<(Storage, Shape)>>);

impl Computed {
    pub(crate) fn new(values: Storage, shape: Shape) -> Self {
        Self(Mutex::new(Some((values, shape))))
    }

    /// The output of an operation of tensors on the CPU.
    pub(crate) fn take_from_cpu(&self) -> Result<(CpuStorage, Shape)> {
        match self.take() {
            Some((Storage::Cpu(values), shape)) => Ok((values, shape)),
            _ => candle_core::bail!("an output is taken once, on the device where it is"),
        }
    }

    /// The output of an operation of tensors on a CUDA device.
    pub(crate) fn take_from_cuda(&self) -> Result<(CudaStorage, Shape)> {
        match self.take() {
            Some((Storage::Cuda(values), shape)) => Ok((values, shape)),
            _ => candle_core::bail!("an output is taken once, on the device where it is"),
        }
    }

    fn take(&self) -> Option<(Storage, Shape)> {
        self.0.lock().expect("nothing panics while it is held").take()
    }
}
