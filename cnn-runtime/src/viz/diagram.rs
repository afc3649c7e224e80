//! The architecture of a network as boxes and arrows.

use super::check_name;
use crate::{Error, Model, Network, Result};
use cnn_draw::{Architecture, standalone};
use std::fs;
use std::path::Path;

impl<N: Network> Model<N> {
    /// Draws the architecture as an SVG file, as Keras' `plot_model`: the picture in the documentation of the network's type.
    ///
    /// Blocks are drawn once, beside the whole; a run of equal ones is one box with its count. In a browser, pointing at a box
    /// shows its name, arguments, shapes, parameters, multiply-adds and receptive field.
    ///
    /// ```
    /// # use cnn_runtime::prelude::*;
    /// # let path = std::env::temp_dir().join(format!("diagram-{}.svg", std::process::id()));
    /// let net = model! { i = Input(784); x = Dense(10, softmax)(i); }.build(&Device::Cpu, Seed(1))?;
    /// net.diagram(&path)?;
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// If `path` does not end in `.svg`, or if the file cannot be written.
    pub fn diagram(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        check_name(path)?;
        fs::write(path, standalone(&Architecture::from(&N::GRAPH))).map_err(Error::io("write", path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use crate::testing::Tiny;
    use candle_core::Device;

    #[test]
    fn writes_a_picture_of_every_layer_or_says_why_it_cannot() {
        let model = Model::<Tiny>::new(&Device::Cpu, Seed(1)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tiny.svg");
        model.diagram(&path).unwrap();
        let svg = fs::read_to_string(&path).unwrap();
        for layer in ["input: Input(2, 3, 2)", "flatten: Flatten", "dense: Dense(8, relu)", "dense_1: Dense(3, softmax)"] {
            assert!(svg.contains(&format!("<title>{layer}&#10;")), "{layer}\n{svg}");
        }
        let expected = "cannot draw `tiny.pdf`: pictures are SVG files\n  help: let the name end in `.svg`";
        assert_eq!(model.diagram("tiny.pdf").unwrap_err().to_string(), expected);
        assert!(model.diagram("no/such/place/t.svg").unwrap_err().to_string().starts_with("cannot write `no/such/place/t.svg`"));
    }
}
