//! CIFAR-10: 32×32 colour images of ten classes, in its binary files.

use super::{CIFAR10, Dataset, fetch};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// What the labels of CIFAR-10 stand for.
pub const CIFAR10_CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const PLANE: usize = 32 * 32;
const RECORD: usize = 1 + 3 * PLANE;

/// The training and test images of CIFAR-10 (Krizhevsky, 2009) in `directory`, as `32, 32, 3`.
///
/// The training images are those of as many of `data_batch_1.bin` to `data_batch_5.bin` as are there, the test images
/// those of `test_batch.bin`; each file may be packed as `.gz`.
///
/// # Errors
/// If there is no training file or no test file, or if one is damaged; the error names the file.
pub fn cifar10(directory: impl AsRef<Path>) -> Result<(Dataset<CIFAR10>, Dataset<CIFAR10>)> {
    let directory = directory.as_ref();
    let first = fetch::find(directory, "data_batch_1.bin")?;
    let more = (2..=5).filter_map(|batch| fetch::find(directory, &format!("data_batch_{batch}.bin")).ok());
    let train: Vec<PathBuf> = std::iter::once(first).chain(more).collect();
    Ok((read(&train)?, read(&[fetch::find(directory, "test_batch.bin")?])?))
}

fn read(paths: &[PathBuf]) -> Result<Dataset<CIFAR10>> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for path in paths {
        let bytes = fetch::read(path)?;
        if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD) {
            let problem =
                format!("should hold records of {RECORD} bytes, a label and 32×32×3 values; found {} bytes", bytes.len());
            return Err(Error::file(path, problem));
        }
        for (index, record) in bytes.chunks_exact(RECORD).enumerate() {
            if record[0] > 9 {
                return Err(Error::file(path, format!("has label {} at image {index}; labels are 0 to 9", record[0])));
            }
            labels.push(u32::from(record[0]));
            pixels.extend((0..PLANE).flat_map(|at| [record[1 + at], record[1 + PLANE + at], record[1 + 2 * PLANE + at]]));
        }
    }
    Dataset::new(pixels, [32, 32, 3], labels)?.typed::<CIFAR10>()?.with_class_names(CIFAR10_CLASSES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use std::fs;

    fn record(label: u8, [red, green, blue]: [u8; 3]) -> Vec<u8> {
        [vec![label], vec![red; PLANE], vec![green; PLANE], vec![blue; PLANE]].concat()
    }

    #[test]
    fn turns_planes_into_channels() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("data_batch_1.bin"), record(3, [255, 0, 51])).unwrap();
        fs::write(path("data_batch_2.bin"), record(4, [0; 3])).unwrap();
        fs::write(path("test_batch.bin"), record(9, [1, 2, 3])).unwrap();
        let (train, test) = cifar10(directory.path()).unwrap();
        assert_eq!((train.labels(), test.labels()), ([3, 4].as_slice(), [9].as_slice()));
        let (images, _) = train.batch(&[0], &Device::Cpu).unwrap();
        assert_eq!(images.flatten_all().unwrap().to_vec1::<f32>().unwrap()[..3], [1., 0., 0.2]);

        fs::write(path("data_batch_2.bin"), record(10, [0; 3])).unwrap();
        assert!(cifar10(directory.path()).unwrap_err().to_string().ends_with("has label 10 at image 0; labels are 0 to 9"));
        fs::write(path("data_batch_2.bin"), &record(1, [0; 3])[..RECORD - 1]).unwrap();
        assert!(cifar10(directory.path()).unwrap_err().to_string().ends_with("found 3072 bytes"));
    }
}
