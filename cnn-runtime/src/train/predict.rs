//! `predict`: what a model says of new images.

use super::BATCH_SIZE;
use crate::data::Images;
use crate::model::Forward;
use crate::pass::shared;
use crate::{Context, Error, Model, Network, Result, spec};
use candle_core::{D, Tensor};
use std::ops::Range;

impl<N: Network> Model<N> {
    /// The output of the network for every image of a data set, or of a tensor `N, H, W, C`: of one that ends in
    /// `softmax`, the probabilities, `N, K`.
    ///
    /// Images are taken in batches, so there may be more of them than the device could hold at once.
    ///
    /// A model for images of another shape than the type of a data set says does not compile; it need not tell the same
    /// classes apart.
    ///
    /// # Errors
    /// If there are no images, or they are not of the shape the network was declared for.
    pub fn predict<I: Images>(&self, images: &I) -> Result<Tensor> {
        const { spec::require(N::GRAPH.takes_images("predict", &I::KNOWN)) };
        let batch = |range| images.images(range, &self.state.device);
        self.state.precision.during(|| predict(&self.network, images.count(), &batch))
    }

    /// The most probable class of every image.
    ///
    /// # Errors
    /// As [`Self::predict`]. A network that does not give a vector for each image, or tells other classes apart than the type of
    /// a data set says, does not compile.
    pub fn predict_classes<I: Images>(&self, images: &I) -> Result<Vec<u32>> {
        const { spec::require(N::GRAPH.fits("predict_classes", &I::KNOWN)) };
        let predictions = self.predict(images)?;
        Ok(predictions.argmax(D::Minus1)?.to_vec1()?)
    }
}

fn predict(network: &dyn Forward, count: usize, images: &dyn Fn(Range<usize>) -> Result<Tensor>) -> Result<Tensor> {
    if count == 0 {
        return Err(Error::Data("there are no images to predict".into()));
    }
    let (mut outputs, largest) = (Vec::new(), network.graph().largest_tensor());
    for start in (0..count).step_by(BATCH_SIZE) {
        let batch = images(start..count.min(start + BATCH_SIZE))?;
        let output = shared(&batch, largest, || network.forward(&batch, &Context::inference()))?;
        outputs.push(output.detach());
    }
    Ok(Tensor::cat(&outputs, 0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use crate::testing::{Tiny, blobs};
    use candle_core::{DType, Device};

    #[test]
    fn batches_make_no_difference() -> Result<()> {
        let model = Model::<Tiny>::new(&Device::Cpu, Seed(3))?;
        let data = blobs(BATCH_SIZE + 3);
        let (images, _) = data.batch(&[0, BATCH_SIZE + 2], &Device::Cpu)?;
        let (some, all) = (model.predict(&images)?, model.predict(&data)?);
        assert_eq!(all.dims(), [BATCH_SIZE + 3, 3]);
        let rows = all.to_vec2::<f32>()?;
        for (row, expected) in some.to_vec2::<f32>()?.iter().zip([&rows[0], &rows[BATCH_SIZE + 2]]) {
            assert!((row.iter().sum::<f32>() - 1.).abs() < 1e-6);
            assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6));
        }
        Ok(())
    }

    #[test]
    fn says_what_does_not_fit() {
        let model = Model::<Tiny>::new(&Device::Cpu, Seed(3)).unwrap();
        let error =
            |dims: &[usize]| model.predict(&Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap()).unwrap_err().to_string();
        assert!(error(&[5, 2, 4, 2]).contains("takes a batch of N×2×3×2, found 5×2×4×2"));
        assert_eq!(error(&[0, 2, 3, 2]), "there are no images to predict");
    }
}
