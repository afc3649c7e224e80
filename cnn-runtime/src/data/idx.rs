//! IDX, the format of MNIST's files: a magic number, the sizes, and one byte a value.

use super::{Dataset, fetch};
use crate::error::sizes;
use crate::{Error, Result};
use std::path::Path;

/// The content of an IDX file of unsigned bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// The size of each axis, outermost first: `N, H, W` for images, `N` for labels.
    pub dims: Vec<usize>,
    /// The values, row by row.
    pub values: Vec<u8>,
}

/// Reads an IDX file, packed with gzip or not.
///
/// # Errors
/// If the file cannot be read, is no IDX file of unsigned bytes, or holds fewer or more values than its header says.
pub fn read(path: impl AsRef<Path>) -> Result<Idx> {
    let path = path.as_ref();
    parse(&fetch::read(path)?).map_err(|problem| Error::file(path, problem))
}

/// Reads images and their labels from two IDX files, as grey images `H, W, 1`.
///
/// # Errors
/// If a file cannot be read as by [`read`], if they do not hold images and labels, or not the same number of both.
pub fn read_dataset(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<Dataset> {
    let (images_path, labels_path) = (images.as_ref(), labels.as_ref());
    let (images, labels) = (read(images_path)?, read(labels_path)?);
    let [count, height, width] = images.dims[..] else {
        return Err(wrong_content(images_path, "images, N×H×W", &images));
    };
    let [label_count] = labels.dims[..] else {
        return Err(wrong_content(labels_path, "labels, N", &labels));
    };
    if count != label_count {
        let found = format!("holds {label_count} labels for the {count} images of `{}`", images_path.display());
        return Err(Error::file(labels_path, found));
    }
    Dataset::new(images.values, [height, width, 1], labels.values.into_iter().map(u32::from).collect())
}

fn wrong_content(path: &Path, expected: &str, found: &Idx) -> Error {
    Error::file(path, format!("should hold {expected}, found {}", sizes(&found.dims)))
}

fn parse(bytes: &[u8]) -> Result<Idx, String> {
    let Some((&[zero_a, zero_b, kind, rank], rest)) = bytes.split_first_chunk() else {
        return Err(format!("is not an IDX file: it has {} bytes", bytes.len()));
    };
    if (zero_a, zero_b) != (0, 0) || rank == 0 {
        let magic = u32::from_be_bytes([zero_a, zero_b, kind, rank]);
        return Err(format!("is not an IDX file: expected magic number 2049 or 2051, found {magic}"));
    }
    if kind != 0x08 {
        return Err(format!("holds values of IDX type 0x{kind:02x}; only unsigned bytes, 0x08, can be read"));
    }
    let Some((header, values)) = rest.split_at_checked(4 * usize::from(rank)) else {
        return Err(format!("is cut short: a header of {rank} sizes needs {} bytes", 4 + 4 * usize::from(rank)));
    };
    let size = |bytes: &[u8]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    let dims: Vec<usize> = header.chunks_exact(4).map(size).collect();
    let expected = dims.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    match expected {
        Some(expected) if expected == values.len() => Ok(Idx { dims, values: values.to_vec() }),
        Some(expected) if expected < values.len() => {
            Err(format!("goes on after its end: {} needs {expected} values, found {}", sizes(&dims), values.len()))
        }
        Some(expected) => Err(format!("is cut short: {} needs {expected} values, found {}", sizes(&dims), values.len())),
        None => Err(format!("has an impossible header: {} values", sizes(&dims))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::fs;
    use std::io::Write;

    fn file(dims: &[u32], values: &[u8]) -> Vec<u8> {
        let header = [0, 0, 8, dims.len() as u8].into_iter().chain(dims.iter().flat_map(|size| size.to_be_bytes()));
        header.chain(values.iter().copied()).collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn reads_plain_and_packed() {
        let directory = tempfile::tempdir().unwrap();
        let (images, labels) = (directory.path().join("images"), directory.path().join("labels"));
        fs::write(&images, file(&[2, 1, 3], &[0, 51, 255, 1, 2, 3])).unwrap();
        fs::write(&labels, gzip(&file(&[2], &[7, 1]))).unwrap();
        let data = read_dataset(&images, &labels).unwrap();
        assert_eq!((data.len(), data.shape(), data.labels()), (2, [1, 3, 1], [7, 1].as_slice()));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let problem = |bytes: &[u8]| parse(bytes).unwrap_err();
        assert_eq!(problem(b"PK\x03\x04rest"), "is not an IDX file: expected magic number 2049 or 2051, found 1347093252");
        assert_eq!(problem(&[0, 0, 13, 1, 0, 0, 0, 0]), "holds values of IDX type 0x0d; only unsigned bytes, 0x08, can be read");
        assert_eq!(problem(&file(&[2, 2], &[1, 2, 3])), "is cut short: 2×2 needs 4 values, found 3");
        assert_eq!(problem(&file(&[2], &[1, 2, 3])), "goes on after its end: 2 needs 2 values, found 3");
        assert!(problem(&file(&[u32::MAX, u32::MAX, u32::MAX], &[])).starts_with("has an impossible header"));

        let directory = tempfile::tempdir().unwrap();
        let (images, labels) = (directory.path().join("images"), directory.path().join("labels"));
        let error = |a: &Path, b: &Path| read_dataset(a, b).unwrap_err().to_string();
        assert!(error(&images, &labels).starts_with(&format!("cannot read `{}`", images.display())));
        fs::write(&images, file(&[2, 1, 1], &[0, 1])).unwrap();
        fs::write(&labels, file(&[3], &[0, 1, 2])).unwrap();
        let expected = format!("`{}` holds 3 labels for the 2 images of `{}`", labels.display(), images.display());
        assert_eq!(error(&images, &labels), expected);
        assert_eq!(error(&labels, &labels), format!("`{}` should hold images, N×H×W, found 3", labels.display()));
        assert_eq!(error(&images, &images), format!("`{}` should hold labels, N, found 2×1×1", images.display()));
    }

    proptest! {
        #[test]
        fn every_truncation_is_an_error(cut in 0usize..60, packed: bool) {
            let whole = file(&[3, 4, 4], &[9; 48]);
            let whole = if packed { gzip(&whole) } else { whole };
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("images");
            fs::write(&path, &whole[..cut.min(whole.len() - 1)]).unwrap();
            let error = read(&path).unwrap_err().to_string();
            prop_assert!(error.contains(&path.display().to_string()), "{}", error);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), rank in 0u8..8) {
            let _ = parse(&bytes);
            let _ = parse(&[&[0, 0, 8, rank], bytes.as_slice()].concat());
        }
    }
}
