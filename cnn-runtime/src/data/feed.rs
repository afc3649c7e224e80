//! How the images of a data set come to the device that trains on them, batch by batch.

use super::dataset::Pixels;
use super::{Dataset, Staged};
use crate::gpu::Gpu;
use crate::{Result, kernels};
use candle_core::{Device, Tensor};
use std::sync::mpsc::sync_channel;

/// A data set on its way to a device.
pub(crate) struct Feed<'a> {
    data: &'a Dataset,
    device: &'a Device,
    place: Place,
}

enum Place {
    /// Each batch is made when it is its turn.
    Here,
    /// All images are on the GPU, bytes as bytes.
    OnGpu { pixels: Tensor, labels: Tensor },
    /// The next batch is prepared while one is trained on.
    Ahead,
}

impl<'a> Feed<'a> {
    /// A feed for many passes: of a set that takes no more than half of a GPU's free memory, the whole set goes there now.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn again_and_again(data: &'a Dataset, device: &'a Device) -> Result<Self> {
        let room = Gpu::of(device).map(|gpu| gpu.free_memory()).transpose()?;
        Self::within(data, device, room.unwrap_or(0) / 2)
    }

    /// A feed for one pass.
    pub(crate) fn once(data: &'a Dataset, device: &'a Device) -> Self {
        let place = if Gpu::of(device).is_some() { Place::Ahead } else { Place::Here };
        Self { data, device, place }
    }

    /// A feed for many passes, with so many bytes for the whole set on a GPU.
    fn within(data: &'a Dataset, device: &'a Device, room: usize) -> Result<Self> {
        let feed = Self::once(data, device);
        if matches!(feed.place, Place::Here) || data.bytes() > room {
            return Ok(feed);
        }
        let pixels = match data.pixels() {
            Pixels::U8(values) => Tensor::from_slice(values, values.len(), device)?,
            Pixels::F32(values) => Tensor::from_slice(values, values.len(), device)?,
        };
        let labels = Tensor::from_slice(data.labels(), data.len(), device)?;
        Ok(Self { place: Place::OnGpu { pixels, labels }, ..feed })
    }

    /// The number of images.
    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    /// Calls `with` for each batch of `order`, with its index, its images and its labels.
    ///
    /// # Errors
    /// The first of `with`, after which there are no more batches, and those of the device.
    pub(crate) fn each_batch(
        &self,
        order: &[usize],
        batch_size: usize,
        mut with: impl FnMut(usize, Tensor, Tensor) -> Result<()>,
    ) -> Result<()> {
        let batches = order.chunks(batch_size);
        match &self.place {
            Place::Here => batches.enumerate().try_for_each(|(index, batch)| {
                let (images, labels) = self.data.batch(batch, self.device)?;
                with(index, images, labels)
            }),
            Place::OnGpu { pixels, labels } => {
                let on_gpu = Tensor::from_iter(order.iter().map(|index| *index as u32), self.device)?;
                batches.enumerate().try_for_each(|(index, batch)| {
                    let which = on_gpu.narrow(0, index * batch_size, batch.len())?;
                    let (images, labels) = kernels::gather(pixels, labels, &which, self.data.shape())?;
                    with(index, images, labels)
                })
            }
            // Only memory of the CPU is prepared on the other thread: what threads do on a device is in no order.
            Place::Ahead => std::thread::scope(|scope| {
                let (sender, receiver) = sync_channel::<Staged>(1);
                scope.spawn(move || {
                    // Nobody takes the rest if a batch fails.
                    batches.map(|batch| self.data.staged(batch)).try_for_each(|staged| sender.send(staged))
                });
                receiver.into_iter().enumerate().try_for_each(|(index, staged)| {
                    let (images, labels) = staged.on(self.device)?;
                    with(index, images, labels)
                })
            }),
        }
    }
}

#[cfg(all(test, feature = "emulated-cuda"))]
mod tests {
    use super::*;
    use crate::testing::blobs;

    /// With `CNN_EMULATE_CUDA`, over all ways to a GPU.
    #[test]
    fn every_way_to_a_device_gives_the_same_batches() {
        let (bytes, device) = (blobs(10), Device::Cpu);
        let numbers: Vec<f32> = (0..120).map(|i| i as f32).collect();
        let numbers = Dataset::new(numbers, [2, 3, 2], (0..10).collect()).unwrap();
        let order = [3, 9, 0, 1, 2, 5, 4];
        for data in [bytes, numbers] {
            for room in [0, usize::MAX] {
                let feed = Feed::within(&data, &device, room).unwrap();
                let mut seen = 0;
                let check = |index: usize, images: Tensor, labels: Tensor| {
                    let which = &order[index * 3..(index * 3 + 3).min(7)];
                    let host = data.staged(which).on(&device).unwrap();
                    let values = |images: &Tensor| images.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    assert_eq!((images.dims(), values(&images)), (host.0.dims(), values(&host.0)));
                    let expected: Vec<u32> = which.iter().map(|index| data.labels()[*index]).collect();
                    assert_eq!(labels.to_vec1::<u32>().unwrap(), expected);
                    seen += which.len();
                    Ok(())
                };
                feed.each_batch(&order, 3, check).unwrap();
                assert_eq!(seen, 7);
                let failing = feed.each_batch(&order, 2, |index, _, _| match index {
                    1 => Err(crate::Error::Data("enough".into())),
                    _ => Ok(()),
                });
                assert_eq!(failing.unwrap_err().to_string(), "enough");
            }
        }
    }
}
