//! `predict`: what a model says of new images.

use super::BATCH_SIZE;
use crate::data::Images;
use crate::error::sizes;
use crate::model::{Forward, State};
use crate::{Context, Error, Model, Network, Result};
use candle_core::{D, Tensor};

impl<N: Network> Model<N> {
    /// The output of the network for every image of a data set, or of a tensor `N, H, W, C`: of one that ends in
    /// `softmax`, the probabilities, `N, K`.
    ///
    /// Images are taken in batches, so there may be more of them than the device could hold at once.
    ///
    /// # Errors
    /// If there are no images, or they are not of the shape the network was declared for.
    pub fn predict(&self, images: &impl Images) -> Result<Tensor> {
        predict(&self.network, &self.state, images)
    }

    /// The most probable class of every image.
    ///
    /// # Errors
    /// As [`Self::predict`], and if the network does not give a vector for each image.
    pub fn predict_classes(&self, images: &impl Images) -> Result<Vec<u32>> {
        let predictions = self.predict(images)?;
        if predictions.rank() != 2 {
            let found = sizes(&predictions.dims()[1..]);
            return Err(Error::Mismatch(format!("classes need a vector for each image, `{}` gives {found}", N::GRAPH.name)));
        }
        Ok(predictions.argmax(D::Minus1)?.to_vec1()?)
    }
}

fn predict(network: &dyn Forward, state: &State, images: &dyn Images) -> Result<Tensor> {
    let graph = network.graph();
    if graph.inputs.len() != 1 || graph.outputs.len() != 1 {
        return Err(Error::Mismatch(format!(
            "`predict` is for one input and one output; `{}` has {} and {}\n  help: call the network itself, with `model.call(&[…], &Context::inference())`",
            graph.name,
            graph.inputs.len(),
            graph.outputs.len()
        )));
    }
    if images.count() == 0 {
        return Err(Error::Data("there are no images to predict".into()));
    }
    let mut outputs = Vec::new();
    for start in (0..images.count()).step_by(BATCH_SIZE) {
        let batch = images.images(start..images.count().min(start + BATCH_SIZE), &state.device)?;
        outputs.push(network.forward(&batch, &Context::inference())?.detach());
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
