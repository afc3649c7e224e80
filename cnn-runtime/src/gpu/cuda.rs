//! Kernels on a CUDA device, by candle's stream of it.

use super::argument::{Memory, MemoryMut, extent};
use super::factor::Factor;
use super::{Argument, Kernel, Onto, Place};
use crate::Precision;
use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::cuda_backend::cudarc::cublas::result::gemm_strided_batched_ex;
use candle_core::cuda_backend::cudarc::cublas::sys::{cublasComputeType_t, cublasGemmAlgo_t, cublasOperation_t, cudaDataType_t};
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, CudaStream, DevicePtr, DevicePtrMut, LaunchConfig, PushKernelArg, SyncOnDrop,
};
use candle_core::cuda_backend::{CudaStorageSlice, WrapErr};
use candle_core::{CudaDevice, DType, Layout, Result, Storage, Tensor};
use std::ffi::c_void;

mod kernels {
    include!(concat!(env!("OUT_DIR"), "/ptx.rs"));
}

pub(super) fn empty(device: &CudaDevice, dtype: DType, len: usize) -> Result<Storage> {
    // The driver gives no memory of no size.
    let shape = len.max(1).into();
    // SAFETY: what is in it is written before it is read, as kernels' launches promise.
    unsafe { device.alloc_uninit(&shape, dtype) }.map(Storage::Cuda)
}

pub(super) fn free_memory(device: &CudaDevice) -> Result<usize> {
    let (free, _) = device.cuda_stream().context().mem_get_info().w()?;
    Ok(free)
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
pub(super) fn address<'a>(memory: Memory<'a>, layout: Option<&Layout>, stream: &'a CudaStream) -> Result<(u64, SyncOnDrop<'a>)> {
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
pub(super) fn address_mut<'a>(
    memory: &'a mut MemoryMut,
    layout: Option<&Layout>,
    stream: &'a CudaStream,
) -> Result<(u64, SyncOnDrop<'a>)> {
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

/// Writes the products of `a`, `B, M, K`, and `b`, `B, K, N`, to their place.
pub(super) fn products(
    device: &CudaDevice,
    a: &Tensor,
    b: &Tensor,
    out: &mut Storage,
    place: Place,
    precision: Precision,
) -> Result<()> {
    let ((count, m, k), n) = (a.dims3()?, b.dim(2)?);
    let (stream, blas) = (device.cuda_stream(), device.cublas_handle());
    let ((a_storage, a_layout), (b_storage, b_layout)) = (a.storage_and_layout(), b.storage_and_layout());
    let (Storage::Cuda(a_values), Storage::Cuda(b_values), Storage::Cuda(out)) = (&*a_storage, &*b_storage, out) else {
        candle_core::bail!("a product of tensors that are not on the GPU");
    };
    let (real, compute) = types(a_values.dtype(), precision)?;
    if b_values.dtype() != a_values.dtype() || out.dtype() != a_values.dtype() {
        candle_core::bail!("a product of tensors of different types");
    }
    let room = each_type!(&out.slice, values => values.len());
    if place.end((count, m, n)) > room || (m > 1 && place.row < n) {
        candle_core::bail!("{count} products of {m}×{n} in {room} values, by {place:?}");
    }
    // cuBLAS thinks in columns: a matrix by rows is its transpose to it, and the transpose of the product that of `b` by that
    // of `a`.
    let (first, second) = (Factor::new(b_layout)?, Factor::new(a_layout)?);
    let operation = |factor: Factor| match factor.by_rows {
        true => cublasOperation_t::CUBLAS_OP_N,
        false => cublasOperation_t::CUBLAS_OP_T,
    };
    let size = |size: usize| i32::try_from(size).map_err(candle_core::Error::wrap);
    let (one, zero) = ((1f32, 1f64), (0f32, 0f64));
    let scalar = |number: &(f32, f64)| -> *const c_void {
        if real == cudaDataType_t::CUDA_R_64F { (&raw const number.1).cast() } else { (&raw const number.0).cast() }
    };
    let bytes = a_values.dtype().size_in_bytes();
    let at = |address: u64, first: usize| address + (first * bytes) as u64;
    let (a_address, _a_in_use) = address(Memory::Cuda(a_values), None, &stream)?;
    let (b_address, _b_in_use) = address(Memory::Cuda(b_values), None, &stream)?;
    let mut out = MemoryMut::Cuda(out);
    let (out_address, _out_in_use) = address_mut(&mut out, None, &stream)?;
    // SAFETY: the tensors' layouts lie within their memory, `out` has room for what is written, `Factor` has checked how
    // far rows and columns are apart, and all of it is in use until the product is on the stream, after which it is freed on it.
    unsafe {
        gemm_strided_batched_ex(
            *blas.handle(),
            operation(first),
            operation(second),
            size(n)?,
            size(m)?,
            size(k)?,
            scalar(&one),
            at(b_address, b_layout.start_offset()) as *const c_void,
            real,
            size(first.leading)?,
            first.matrix as i64,
            at(a_address, a_layout.start_offset()) as *const c_void,
            real,
            size(second.leading)?,
            second.matrix as i64,
            scalar(if place.onto == Onto::Sums { &one } else { &zero }),
            at(out_address, place.first) as *mut c_void,
            real,
            size(place.row.max(n))?,
            place.matrix as i64,
            size(count)?,
            compute,
            cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
        )
    }
    .map_err(candle_core::Error::wrap)
}

/// The type of a product's values, and what cuBLAS computes it in.
fn types(dtype: DType, precision: Precision) -> Result<(cudaDataType_t, cublasComputeType_t)> {
    use cublasComputeType_t::*;
    Ok(match (dtype, precision) {
        (DType::F64, _) => (cudaDataType_t::CUDA_R_64F, CUBLAS_COMPUTE_64F),
        (DType::F32, Precision::F32) => (cudaDataType_t::CUDA_R_32F, CUBLAS_COMPUTE_32F),
        (DType::F32, Precision::Tf32) => (cudaDataType_t::CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32),
        (DType::F32, Precision::Bf16) => (cudaDataType_t::CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_16BF),
        (other, _) => candle_core::bail!("products are of f32 or f64, found {}", other.as_str()),
    })
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
