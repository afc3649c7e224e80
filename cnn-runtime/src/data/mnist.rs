//! MNIST and the data sets that share its files: 28×28 grey images of ten classes.

use super::{Dataset, FashionMNIST, Kind, MNIST, fetch, idx};
use crate::{Error, Result};
use std::path::Path;

/// What the labels of Fashion-MNIST stand for.
pub const FASHION_CLASSES: [&str; 10] =
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

/// The training and test images of Fashion-MNIST (Xiao, Rasul & Vollgraf, 2017) in `directory`.
///
/// The files are `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte`, each with or without `.gz`.
///
/// # Errors
/// If a file is missing, damaged, or holds something else; the error names the file.
pub fn fashion_mnist(directory: impl AsRef<Path>) -> Result<(Dataset<FashionMNIST>, Dataset<FashionMNIST>)> {
    read(directory.as_ref(), FASHION_CLASSES)
}

/// The training and test images of MNIST (LeCun et al., 1998) in `directory`, in files called as those of
/// [`fashion_mnist`].
///
/// # Errors
/// If a file is missing, damaged, or holds something else; the error names the file.
pub fn mnist(directory: impl AsRef<Path>) -> Result<(Dataset<MNIST>, Dataset<MNIST>)> {
    read(directory.as_ref(), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])
}

fn read<K: Kind>(directory: &Path, class_names: [&str; 10]) -> Result<(Dataset<K>, Dataset<K>)> {
    let part = |prefix: &str| {
        let images = fetch::find(directory, &format!("{prefix}-images-idx3-ubyte"))?;
        let labels = fetch::find(directory, &format!("{prefix}-labels-idx1-ubyte"))?;
        let data = idx::read_dataset(&images, labels)?.typed::<K>();
        let data = data.map_err(|error| Error::file(&images, format!("and its labels are not {}: {error}", K::NAME)))?;
        data.with_class_names(class_names)
    };
    Ok((part("train")?, part("t10k")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_carried_subset() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/fashion-mnist");
        let (train, test) = fashion_mnist(directory).unwrap();
        for (data, each) in [(&train, 600), (&test, 100)] {
            assert_eq!((data.len(), data.shape()), (10 * each, [28, 28, 1]));
            for class in 0..10 {
                assert_eq!(data.labels().iter().filter(|label| **label == class).count(), each);
            }
        }
        assert_eq!(train.class_names()[9], "Ankle boot");
    }

    #[test]
    fn names_the_file_that_holds_something_else() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
        let images = [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3], [7; 6].as_slice()].concat();
        write("train-images-idx3-ubyte", &images);
        write("train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 1, 5]);
        let error = mnist(directory.path()).unwrap_err().to_string();
        let expected = "train-images-idx3-ubyte` and its labels are not MNIST: the images are 2×3×1, those of MNIST are 28×28×1";
        assert!(error.ends_with(expected), "{error}");
    }

    #[test]
    fn names_the_file_that_is_missing() {
        let directory = tempfile::tempdir().unwrap();
        let error = fashion_mnist(directory.path()).unwrap_err().to_string();
        let place = directory.path().display();
        assert_eq!(error, format!("`{place}` has neither `train-images-idx3-ubyte` nor `train-images-idx3-ubyte.gz`"));
        let error = fashion_mnist(directory.path().join("nowhere")).unwrap_err().to_string();
        assert_eq!(error, format!("`{place}/nowhere` is not a directory"));
    }
}
