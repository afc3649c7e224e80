//! Labelled images in memory, and the batches made of them.

use super::{Any, Kind, known};
use crate::error::sizes;
use crate::gpu::Gpu;
use crate::{Error, Result, kernels, spec};
use candle_core::{DType, Device, Tensor};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

/// Images of one shape with a label each, of a [`Kind`] that says what is known of them while the program compiles.
///
/// Images are kept as bytes where they came as bytes, and become numbers from 0 to 1 when a batch is made of them. Clones
/// share them.
///
/// A function takes data of every kind as `fn f<K: data::Kind>(data: &Dataset<K>)`; one that takes `&Dataset` is given
/// [`untyped`](Self::untyped) data.
///
/// ```
/// use cnn_runtime::data::Dataset;
///
/// let black_and_white = Dataset::new(vec![0, 0, 0, 0, 255, 255, 255, 255], [2, 2, 1], vec![0, 1])?;
/// assert_eq!(black_and_white.len(), 2);
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
pub struct Dataset<K = Any> {
    pixels: Arc<Pixels>,
    shape: [usize; 3],
    labels: Arc<[u32]>,
    class_names: Arc<[String]>,
    kind: PhantomData<fn() -> K>,
}

/// The values of images, one after another, each row by row with its channels innermost.
#[derive(Clone, Debug)]
pub enum Pixels {
    /// Bytes, which a batch divides by 255.
    U8(Vec<u8>),
    /// Numbers, which a batch takes as they are.
    F32(Vec<f32>),
}

impl Pixels {
    fn len(&self) -> usize {
        match self {
            Pixels::U8(values) => values.len(),
            Pixels::F32(values) => values.len(),
        }
    }
}

/// A batch in memory, on its way to a GPU.
pub(crate) struct Staged {
    pixels: Pixels,
    shape: [usize; 3],
    labels: Vec<u32>,
}

impl Staged {
    /// The images, `N, H, W, C` of f32, and their labels, `N`, on a GPU, where bytes become numbers.
    ///
    /// # Errors
    /// If the GPU cannot hold them.
    pub(crate) fn on(self, device: &Device) -> Result<(Tensor, Tensor)> {
        let count = self.labels.len();
        let labels = Tensor::from_vec(self.labels, count, device)?;
        let [height, width, channels] = self.shape;
        let shape = (count, height, width, channels);
        let images = match self.pixels {
            Pixels::U8(bytes) => {
                let length = bytes.len();
                kernels::numbers_of_bytes(&Tensor::from_vec(bytes, length, device)?, shape)?
            }
            Pixels::F32(values) => Tensor::from_vec(values, shape, device)?,
        };
        Ok((images, labels))
    }
}

impl From<Vec<u8>> for Pixels {
    fn from(values: Vec<u8>) -> Self {
        Pixels::U8(values)
    }
}

impl From<Vec<f32>> for Pixels {
    fn from(values: Vec<f32>) -> Self {
        Pixels::F32(values)
    }
}

impl Dataset {
    /// A data set of one image of `shape`, `H, W, C`, for each label.
    ///
    /// # Errors
    /// If a size is 0, or the number of values is not that of as many images as there are labels.
    pub fn new(pixels: impl Into<Pixels>, shape: [usize; 3], labels: Vec<u32>) -> Result<Self> {
        let pixels = pixels.into();
        let image = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size)).unwrap_or(0);
        if image == 0 {
            return Err(Error::Data(format!("images cannot be {}", sizes(&shape))));
        }
        if labels.len().checked_mul(image) != Some(pixels.len()) {
            let (count, found) = (labels.len(), pixels.len());
            return Err(Error::Data(format!(
                "{count} labels need {count} images of {}, {} values; found {found} values",
                sizes(&shape),
                count.saturating_mul(image)
            )));
        }
        let (pixels, labels) = (Arc::new(pixels), labels.into());
        Ok(Self { pixels, shape, labels, class_names: Arc::new([]), kind: PhantomData })
    }

    /// A data set of `images`, `N, H, W, C` of bytes or floats, and their `labels`, `N` of whole numbers.
    ///
    /// # Errors
    /// If the tensors have other shapes or types, or a label is negative.
    pub fn from_tensors(images: &Tensor, labels: &Tensor) -> Result<Self> {
        let (&[count, height, width, channels], &[label_count]) = (images.dims(), labels.dims()) else {
            let found = format!("{} and {}", sizes(images.dims()), sizes(labels.dims()));
            return Err(Error::Data(format!("a data set takes images N×H×W×C and labels N, found {found}")));
        };
        if count != label_count {
            return Err(Error::Data(format!(
                "a data set takes one label for each image, found {count} images and {label_count} labels"
            )));
        }
        if !labels.dtype().is_int() {
            return Err(Error::Data(format!("labels are whole numbers, found a tensor of {}", labels.dtype().as_str())));
        }
        let labels = labels.to_dtype(DType::I64)?.to_vec1::<i64>()?;
        if let Some(index) = labels.iter().position(|label| u32::try_from(*label).is_err()) {
            return Err(Error::Data(format!("label {} of image {index} is not a class", labels[index])));
        }
        let flat = images.flatten_all()?;
        let pixels = match images.dtype() {
            DType::U8 => Pixels::U8(flat.to_vec1()?),
            dtype if dtype.is_float() => Pixels::F32(flat.to_dtype(DType::F32)?.to_vec1()?),
            dtype => return Err(Error::Data(format!("images are bytes or floats, found a tensor of {}", dtype.as_str()))),
        };
        Self::new(pixels, [height, width, channels], labels.into_iter().map(|label| label as u32).collect())
    }

    /// The same images, as data of kind `K`.
    ///
    /// # Errors
    /// If they are not of its shape, or their labels and their classes' names not those of as many classes.
    pub fn typed<K: Kind>(self) -> Result<Dataset<K>> {
        self.of_kind().verified()
    }
}

impl<K: Kind> Dataset<K> {
    /// The same images, whose label `i` stands for the `i`-th of `names`.
    ///
    /// # Errors
    /// If a label has no name, or there are not as many names as the kind has classes.
    pub fn with_class_names<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Result<Self> {
        let class_names: Arc<[String]> = names.into_iter().map(Into::into).collect();
        check_labels(&self.labels, class_names.len())?;
        Self { class_names, ..self }.verified()
    }

    /// Checks what the kind says.
    fn verified(self) -> Result<Self> {
        if let Some(shape) = K::SHAPE.filter(|shape| *shape != self.shape) {
            let (found, expected) = (sizes(&self.shape), sizes(&shape));
            return Err(Error::Data(format!("the images are {found}, those of {} are {expected}", K::NAME)));
        }
        let Some(classes) = K::CLASSES else { return Ok(self) };
        if !self.class_names.is_empty() && self.class_names.len() != classes {
            let found = self.class_names.len();
            return Err(Error::Data(format!("there are names for {found} classes, {} has {classes}", K::NAME)));
        }
        check_labels(&self.labels, classes)?;
        Ok(self)
    }
}

impl<K> Dataset<K> {
    /// The same images, as data of which nothing is known while the program compiles.
    pub fn untyped(&self) -> Dataset {
        self.of_kind()
    }

    fn of_kind<L>(&self) -> Dataset<L> {
        Dataset {
            pixels: self.pixels.clone(),
            shape: self.shape,
            labels: self.labels.clone(),
            class_names: self.class_names.clone(),
            kind: PhantomData,
        }
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The shape of each image: `H, W, C`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The label of each image.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// What the labels stand for; empty if they have no names.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// A batch of the images at `indices`: `N, H, W, C` of f32, and their labels, `N` of u32.
    ///
    /// # Errors
    /// If an index is past the last image, or `device` cannot hold the batch.
    pub fn batch(&self, indices: &[usize], device: &Device) -> Result<(Tensor, Tensor)> {
        if let Some(index) = indices.iter().find(|index| **index >= self.len()) {
            return Err(Error::Data(format!("there is no image {index} in a data set of {}", self.len())));
        }
        if Gpu::of(device).is_some() {
            return self.staged(indices).on(device);
        }
        let [height, width, channels] = self.shape;
        let image = height * width * channels;
        let mut values = Vec::with_capacity(indices.len() * image);
        for range in indices.iter().map(|index| index * image..(index + 1) * image) {
            match &*self.pixels {
                Pixels::U8(pixels) => values.extend(pixels[range].iter().map(|value| f32::from(*value) / 255.)),
                Pixels::F32(pixels) => values.extend_from_slice(&pixels[range]),
            }
        }
        let labels: Vec<u32> = indices.iter().map(|index| self.labels[*index]).collect();
        let images = Tensor::from_vec(values, (indices.len(), height, width, channels), device)?;
        Ok((images, Tensor::from_vec(labels, indices.len(), device)?))
    }

    /// The images at `indices`, in that order.
    ///
    /// # Errors
    /// If an index is past the last image.
    pub fn subset(&self, indices: &[usize]) -> Result<Self> {
        if let Some(index) = indices.iter().find(|index| **index >= self.len()) {
            return Err(Error::Data(format!("there is no image {index} in a data set of {}", self.len())));
        }
        let Staged { pixels, labels, .. } = self.staged(indices);
        Ok(Self { pixels: Arc::new(pixels), labels: labels.into(), ..self.of_kind() })
    }

    /// The images at `indices`, each of which is that of an image, in that order and as they are.
    pub(crate) fn staged(&self, indices: &[usize]) -> Staged {
        fn gather<T: Copy>(values: &[T], image: usize, indices: &[usize]) -> Vec<T> {
            let mut gathered = Vec::with_capacity(indices.len() * image);
            indices.iter().for_each(|index| gathered.extend_from_slice(&values[index * image..(index + 1) * image]));
            gathered
        }
        let image = self.shape.iter().product();
        let pixels = match &*self.pixels {
            Pixels::U8(values) => Pixels::U8(gather(values, image, indices)),
            Pixels::F32(values) => Pixels::F32(gather(values, image, indices)),
        };
        Staged { pixels, shape: self.shape, labels: indices.iter().map(|index| self.labels[*index]).collect() }
    }

    /// The values of all images.
    pub(crate) fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    /// The memory that images and labels take.
    pub(crate) fn bytes(&self) -> usize {
        let of_pixels = match &*self.pixels {
            Pixels::U8(values) => values.len(),
            Pixels::F32(values) => size_of_val(values.as_slice()),
        };
        of_pixels + size_of_val(&*self.labels)
    }

    /// The first `count` images, or all if there are fewer.
    pub fn take(&self, count: usize) -> Self {
        let indices: Vec<usize> = (0..count.min(self.len())).collect();
        self.subset(&indices).expect("indices of its own")
    }
}

impl<K> Clone for Dataset<K> {
    fn clone(&self) -> Self {
        self.of_kind()
    }
}

impl<K: Kind> fmt::Debug for Dataset<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if K::NAME.is_empty() { "unnamed data" } else { K::NAME };
        write!(f, "{} images {} of {name}", self.len(), sizes(&self.shape))
    }
}

/// Checks that every label is below the number of classes.
pub(crate) fn check_labels(labels: &[u32], classes: usize) -> Result<()> {
    match labels.iter().position(|label| *label as usize >= classes) {
        Some(index) => {
            let label = labels[index];
            Err(Error::Data(format!("label {label} of image {index} is not below the number of classes, {classes}")))
        }
        None => Ok(()),
    }
}

/// `N` images that can be had batch by batch: a [`Dataset`], or a tensor `N, H, W, C`.
pub trait Images {
    /// What is known of them while the program compiles.
    const KNOWN: spec::Data<'static> = known::<Any>();

    /// The number of images.
    fn count(&self) -> usize;

    /// The images of `range` as a tensor whose first axis they are.
    ///
    /// # Errors
    /// If the range goes past the last image, or `device` cannot hold the batch.
    fn images(&self, range: Range<usize>, device: &Device) -> Result<Tensor>;
}

impl<K: Kind> Images for Dataset<K> {
    const KNOWN: spec::Data<'static> = known::<K>();

    fn count(&self) -> usize {
        self.len()
    }

    fn images(&self, range: Range<usize>, device: &Device) -> Result<Tensor> {
        Ok(self.batch(&range.collect::<Vec<_>>(), device)?.0)
    }
}

impl Images for Tensor {
    fn count(&self) -> usize {
        self.dims().first().copied().unwrap_or(0)
    }

    fn images(&self, range: Range<usize>, device: &Device) -> Result<Tensor> {
        Ok(self.narrow(0, range.start, range.len())?.to_device(device)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Dataset {
        Dataset::new(vec![0u8, 51, 102, 153, 204, 255], [1, 2, 1], vec![2, 0, 1]).unwrap()
    }

    #[test]
    fn batches_are_scaled_and_in_order() {
        let (images, labels) = three().batch(&[2, 0], &Device::Cpu).unwrap();
        assert_eq!(images.dims(), [2, 1, 2, 1]);
        assert_eq!(images.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [0.8, 1., 0., 0.2]);
        assert_eq!(labels.to_vec1::<u32>().unwrap(), [1, 2]);
        assert_eq!(three().batch(&[3], &Device::Cpu).unwrap_err().to_string(), "there is no image 3 in a data set of 3");
    }

    #[test]
    fn subsets_keep_images_with_their_labels() {
        let data = three().with_class_names(["a", "b", "c"]).unwrap();
        let last = data.subset(&[2]).unwrap();
        assert_eq!((last.labels(), last.class_names()[1].as_str()), ([1].as_slice(), "b"));
        assert_eq!(last.images(0..1, &Device::Cpu).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap(), [0.8, 1.]);
        assert_eq!(data.take(2).labels(), [2, 0]);
        assert_eq!(data.take(9).len(), 3);
        assert!(data.subset(&[3]).is_err());
    }

    #[test]
    fn a_kind_is_kept_and_verified() {
        enum Pair {}
        impl Kind for Pair {
            const NAME: &'static str = "the pairs";
            const SHAPE: Option<[usize; 3]> = Some([1, 2, 1]);
            const CLASSES: Option<usize> = Some(3);
        }
        let pairs: Dataset<Pair> = three().typed().unwrap();
        let some: Dataset<Pair> = pairs.subset(&[2, 1]).unwrap().take(1).clone();
        assert_eq!((some.labels(), some.untyped().len()), ([1].as_slice(), 1));
        assert_eq!(format!("{pairs:?}"), "3 images 1×2×1 of the pairs");
        assert_eq!(format!("{:?}", pairs.untyped()), "3 images 1×2×1 of unnamed data");
        let error = |data: Dataset| data.typed::<Pair>().unwrap_err().to_string();
        let square = Dataset::new(vec![0u8; 4], [2, 2, 1], vec![0]).unwrap();
        assert_eq!(error(square), "the images are 2×2×1, those of the pairs are 1×2×1");
        let label = Dataset::new(vec![0u8; 4], [1, 2, 1], vec![0, 3]).unwrap();
        assert_eq!(error(label), "label 3 of image 1 is not below the number of classes, 3");
        let names = three().with_class_names(["a", "b", "c", "d"]).unwrap();
        assert_eq!(error(names), "there are names for 4 classes, the pairs has 3");
        assert!(pairs.with_class_names(["a", "b", "c", "d"]).is_err());
    }

    #[test]
    fn parts_must_fit() {
        let error = Dataset::new(vec![0u8; 5], [1, 2, 1], vec![0, 1]).unwrap_err();
        assert_eq!(error.to_string(), "2 labels need 2 images of 1×2×1, 4 values; found 5 values");
        assert!(Dataset::new(vec![0u8; 0], [0, 2, 1], vec![0]).is_err());
        assert!(Dataset::new(vec![0u8; 0], [usize::MAX, 2, 1], vec![0]).is_err());
        let error = three().with_class_names(["a", "b"]).unwrap_err();
        assert_eq!(error.to_string(), "label 2 of image 0 is not below the number of classes, 2");
    }

    #[test]
    fn tensors_become_a_data_set() {
        let tensor = |values: &[f64], shape: &[usize], dtype| {
            Tensor::new(values, &Device::Cpu).unwrap().reshape(shape).unwrap().to_dtype(dtype).unwrap()
        };
        let images = tensor(&[0., 0.5, 1., 2.], &[2, 2, 1, 1], DType::F64);
        let data = Dataset::from_tensors(&images, &tensor(&[3., 1.], &[2], DType::I64)).unwrap();
        let (batch, _) = data.batch(&[1], &Device::Cpu).unwrap();
        assert_eq!((data.labels(), batch.flatten_all().unwrap().to_vec1::<f32>().unwrap()), ([3, 1].as_slice(), vec![1., 2.]));
        let error = |images: &Tensor, labels: &Tensor| Dataset::from_tensors(images, labels).unwrap_err().to_string();
        assert_eq!(error(&images, &tensor(&[3., -1.], &[2], DType::I64)), "label -1 of image 1 is not a class");
        assert_eq!(error(&images, &tensor(&[3., 1.], &[2], DType::F32)), "labels are whole numbers, found a tensor of f32");
        assert_eq!(
            error(&images, &tensor(&[3.], &[1], DType::U32)),
            "a data set takes one label for each image, found 2 images and 1 labels"
        );
        assert_eq!(error(&images, &images), "a data set takes images N×H×W×C and labels N, found 2×2×1×1 and 2×2×1×1");
    }
}
