//! Batches on a GPU: images and labels of a data set that is there, and bytes that become numbers.

use crate::gpu::{Gpu, Kernel, Work, arguments, no_path, tensor};
use candle_core::{DType, Result, Shape, Tensor};

const FAMILY: &str = "batch";

/// The images, `N, H, W, C` of f32, and the labels, `N`, that `which`, `N` of u32, says, of `pixels`, bytes or numbers, and
/// `labels` of a whole set on a GPU. Every index is that of an image.
pub(crate) fn gather(pixels: &Tensor, labels: &Tensor, which: &Tensor, shape: [usize; 3]) -> Result<(Tensor, Tensor)> {
    let gpu = Gpu::of(pixels.device()).ok_or_else(|| no_path("gather"))?;
    let count = which.elem_count();
    let mut found = gpu.empty(DType::U32, count)?;
    let kernel = Kernel::new(FAMILY, "labels", DType::F32);
    // SAFETY: it reads `count` indices and the labels there, and writes as many.
    unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut found, labels, which, count]) }?;
    let length: usize = shape.iter().product();
    let name = if pixels.dtype() == DType::U8 { "images_of_bytes" } else { "images_of_numbers" };
    let mut images = gpu.empty(DType::F32, count * length)?;
    let kernel = Kernel::new(FAMILY, name, DType::F32);
    let arguments = arguments![&mut images, pixels, which, count, length];
    // SAFETY: it reads `count` indices and the images of `length` values there, and writes as many.
    unsafe { gpu.launch(&kernel, Work::Each(count * length), arguments) }?;
    let [height, width, channels] = shape;
    Ok((tensor(images, (count, height, width, channels)), tensor(found, count)))
}

/// Numbers from 0 to 1, of this shape, of bytes on a GPU.
pub(crate) fn numbers_of_bytes(bytes: &Tensor, shape: impl Into<Shape>) -> Result<Tensor> {
    let gpu = Gpu::of(bytes.device()).ok_or_else(|| no_path("images"))?;
    let count = bytes.elem_count();
    let mut numbers = gpu.empty(DType::F32, count)?;
    let kernel = Kernel::new(FAMILY, "numbers_of_bytes", DType::F32);
    // SAFETY: it reads `count` bytes and writes as many numbers.
    unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut numbers, bytes, count]) }?;
    Ok(tensor(numbers, shape))
}
