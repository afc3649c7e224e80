//! Kernels on a CUDA device, by candle's stream of it.

use super::argument::{Memory, MemoryMut, extent};
use super::{Argument, Kernel};
use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, CudaStream, DevicePtr, DevicePtrMut, LaunchConfig, PushKernelArg, SyncOnDrop,
};
use candle_core::cuda_backend::{CudaStorageSlice, WrapErr};
use candle_core::{CudaDevice, DType, Layout, Result, Storage};

mod kernels {
    include!(concat!(env!("OUT_DIR"), "/ptx.rs"));
}

pub(super) fn empty(device: &CudaDevice, dtype: DType, len: usize) -> Result<Storage> {
    // The driver gives no memory of no size.
    let shape = len.max(1).into();
    // SAFETY: what is in it is written before it is read, as kernels' launches promise.
    unsafe { device.alloc_uninit(&shape, dtype) }.map(Storage::Cuda)
}

/// An argument as the driver takes it: the address of a value.
enum Value<'a> {
    Address(u64),
    Single(f32),
    Double(f64),
    Index(i64),
    Integer(i32),
    Plain(&'a [u8]),
}

/// Calls `$with` with the values of a storage, whatever their type.
macro_rules! each_type {
    ($slice:expr, $values:ident => $with:expr) => {
        match $slice {
            CudaStorageSlice::U8($values) => $with,
            CudaStorageSlice::U32($values) => $with,
            CudaStorageSlice::I64($values) => $with,
            CudaStorageSlice::BF16($values) => $with,
            CudaStorageSlice::F16($values) => $with,
            CudaStorageSlice::F32($values) => $with,
            CudaStorageSlice::F64($values) => $with,
            _ => candle_core::bail!("kernels do not take tensors of this type"),
        }
    };
}

/// The address of the values there, and what orders this use of them among those of other streams.
fn address<'a>(memory: Memory<'a>, layout: Option<&Layout>, stream: &'a CudaStream) -> Result<(u64, SyncOnDrop<'a>)> {
    fn of<'a, T>(values: &'a CudaSlice<T>, first: usize, stream: &'a CudaStream) -> (u64, SyncOnDrop<'a>) {
        let (address, sync) = values.device_ptr(stream);
        (address + (first * size_of::<T>()) as u64, sync)
    }
    let first = extent(layout)?.map_or(0, |(first, _)| first);
    match memory {
        Memory::Cuda(storage) => Ok(each_type!(&storage.slice, values => of(values, first, stream))),
        _ => candle_core::bail!("a kernel was given a tensor that is not on the GPU"),
    }
}

/// As [`address`], to write to.
fn address_mut<'a>(memory: &'a mut MemoryMut, layout: Option<&Layout>, stream: &'a CudaStream) -> Result<(u64, SyncOnDrop<'a>)> {
    fn of<'a, T>(values: &'a mut CudaSlice<T>, first: usize, stream: &'a CudaStream) -> (u64, SyncOnDrop<'a>) {
        let (address, sync) = values.device_ptr_mut(stream);
        (address + (first * size_of::<T>()) as u64, sync)
    }
    let first = extent(layout)?.map_or(0, |(first, _)| first);
    match memory {
        MemoryMut::Cuda(storage) => Ok(each_type!(&mut storage.slice, values => of(values, first, stream))),
        _ => candle_core::bail!("a kernel was given memory that is not on the GPU"),
    }
}

/// # Safety
/// That of [`Gpu::launch`](super::Gpu::launch).
pub(super) unsafe fn launch(
    device: &CudaDevice,
    kernel: &Kernel,
    (blocks, threads): (u32, u32),
    arguments: &mut [Argument],
) -> Result<()> {
    let module = format!("{}_{}", kernel.family, kernel.dtype.as_str());
    let Some((_, ptx)) = kernels::PTX.iter().find(|(name, _)| *name == module) else {
        candle_core::bail!("there are no CUDA kernels `{module}`");
    };
    let function = device.get_or_load_custom_func(&kernel.name, &module, ptx)?;
    let stream = device.cuda_stream();
    let read = arguments.iter().map(|argument| match argument {
        Argument::Tensor(tensor) => Some(tensor.storage_and_layout()),
        _ => None,
    });
    let read: Vec<_> = read.collect();
    let (mut values, mut in_use) = (Vec::with_capacity(arguments.len()), Vec::new());
    for (argument, read) in arguments.iter_mut().zip(&read) {
        let mut at = |(address, sync)| {
            in_use.push(sync);
            Value::Address(address)
        };
        values.push(match argument {
            Argument::Tensor(_) => {
                let (storage, layout) = read.as_ref().expect("every tensor has been locked");
                at(address(Memory::from(&**storage), Some(layout), &stream)?)
            }
            Argument::Read(memory, layout) => at(address(*memory, *layout, &stream)?),
            Argument::Write(memory, layout) => at(address_mut(memory, *layout, &stream)?),
            Argument::Nothing => Value::Address(0),
            Argument::Number(number) if kernel.dtype == DType::F32 => Value::Single(*number as f32),
            Argument::Number(number) => Value::Double(*number),
            Argument::Index(index) => Value::Index(*index),
            Argument::Integer(integer) => Value::Integer(*integer),
            Argument::Plain(bytes) => Value::Plain(bytes),
        });
    }
    let mut builder = function.builder();
    for value in &values {
        match value {
            Value::Address(address) => builder.arg(address),
            Value::Single(number) => builder.arg(number),
            Value::Double(number) => builder.arg(number),
            Value::Index(index) => builder.arg(index),
            Value::Integer(integer) => builder.arg(integer),
            // The driver copies as many bytes from there as the kernel's parameter has.
            Value::Plain(bytes) => builder.arg(&bytes[0]),
        };
    }
    let config = LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (threads, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: the caller's, who knows the kernel; the memory is on the device, which has just been checked, and in use until
    // the launch is on the stream, after which it is freed on that stream.
    unsafe { builder.launch(config) }.w()?;
    Ok(())
}
