//! Checkpoints: a model's variables in a safetensors file, with the names and layouts PyTorch and candle use.

use crate::error::sizes;
use crate::spec::{Graph, Layer, Setting};
use crate::{Error, Model, Network, Result};
use candle_core::safetensors::Load;
use candle_core::{Device, Tensor, Var};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// The version of what is written into the metadata; a later one is not read.
const FORMAT_VERSION: u32 = 1;

impl<N: Network> Model<N> {
    /// Writes the variables to a safetensors file, with the architecture, the seed and the epochs and steps trained so far
    /// in its metadata.
    ///
    /// The file is written under another name in the same directory and then renamed, so that whenever the program or the
    /// machine stops, there is either the old file or the new one. The same state gives the same bytes.
    ///
    /// # Errors
    /// If the file cannot be written; a file of that name is then as it was.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write(&self.state.variables, &N::GRAPH, path.as_ref())
    }

    /// Writes the variables of the layer called `name`, a network inside this one, to a file of its own, as [`Self::save`]
    /// would of a model of that network alone.
    ///
    /// # Errors
    /// If there is no such network, and as [`Self::save`].
    pub fn save_layer(&self, name: &str, path: impl AsRef<Path>) -> Result<()> {
        let network = N::GRAPH.nodes.iter().find_map(|node| match node.layer {
            Layer::Model(network) if node.name == name => Some(network),
            _ => None,
        });
        let Some(network) = network else {
            return Err(Error::Mismatch(format!("`{}` has no network `{name}` inside", N::GRAPH.name)));
        };
        self.write(&self.variables_of(name), network, path.as_ref())
    }

    fn write(&self, variables: &[(String, Var)], graph: &Graph, path: &Path) -> Result<()> {
        let state = &self.state;
        let metadata = HashMap::from([
            ("format".into(), "pt".into()),
            ("format_version".into(), FORMAT_VERSION.to_string()),
            ("model".into(), graph.name.into()),
            ("architecture".into(), architecture(graph)),
            ("seed".into(), state.seed.0.to_string()),
            ("epoch".into(), state.epoch.to_string()),
            ("step".into(), state.step.to_string()),
        ]);
        let tensors = variables.iter().map(|(name, variable)| (name, variable.as_tensor()));
        let bytes = safetensors::serialize(tensors, Some(metadata))
            .map_err(|error| Error::file(path, format!("cannot be written: {error}")))?;
        write_atomically(path, &sorted_header(&bytes)).map_err(Error::io("write", path))
    }

    /// The variables of the layer called `name`, by the names they have in it.
    fn variables_of(&self, name: &str) -> Vec<(String, Var)> {
        let of_layer = |(path, variable): &(String, Var)| {
            let own = path.strip_prefix(name)?.strip_prefix('.')?;
            Some((own.to_string(), variable.clone()))
        };
        self.state.variables.iter().filter_map(of_layer).collect()
    }

    /// Gives the variables the values of a safetensors file, and the model the epochs and steps of its metadata.
    ///
    /// The file may be of this crate, of PyTorch or of candle, and its values of any float type. The seed stays the
    /// model's own, and what a compiled optimizer remembers stays too.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged, or if it lacks a tensor, has one too many, or has one of another shape;
    /// the error lists them all, and the model is as it was.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        [self.state.epoch, self.state.step] = load(&self.state.variables, N::GRAPH.name, path.as_ref())?;
        Ok(())
    }

    /// Gives the layer called `name` the values of a file of its own: a network inside this one, those that
    /// [`Self::save`] wrote of a model of it alone.
    ///
    /// # Errors
    /// If there is no such layer, and as [`Self::load`]; the model is then as it was.
    pub fn load_layer(&mut self, name: &str, path: impl AsRef<Path>) -> Result<()> {
        let variables = self.variables_of(name);
        if variables.is_empty() {
            let names: BTreeSet<&str> =
                self.state.variables.iter().filter_map(|(path, _)| Some(path.split_once('.')?.0)).collect();
            let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
            return Err(Error::Mismatch(format!(
                "`{}` has no layer `{name}` with weights\n  help: those with weights are {}",
                N::GRAPH.name,
                names.join(", ")
            )));
        }
        load(&variables, name, path.as_ref()).map(|_| ())
    }
}

/// Gives the variables of `model` the values of a file, and tells the epochs and steps of its metadata.
fn load(variables: &[(String, Var)], model: &str, path: &Path) -> Result<[u64; 2]> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let damaged = |error| Error::file(path, format!("is not a whole safetensors file: {error}"));
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    let file = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let counters = counters(&metadata).map_err(|problem| Error::file(path, problem))?;
    let differences = differences(variables, &file);
    if !differences.is_empty() {
        let saved_from = metadata.get("model").map(|name| format!("note: it was saved from `{name}`"));
        let differences = differences.into_iter().chain(saved_from).collect();
        return Err(Error::Checkpoint { path: path.into(), model: model.into(), differences });
    }
    let values = variables.iter().map(|(name, variable)| read(&file, name, variable));
    let values = values.collect::<Result<Vec<Tensor>>>()?;
    for ((_, variable), value) in variables.iter().zip(&values) {
        variable.set(value)?;
    }
    Ok(counters)
}

/// The value of a variable in a file that has been checked to hold it.
fn read(file: &SafeTensors, name: &str, variable: &Var) -> Result<Tensor> {
    let view = file.tensor(name).map_err(candle_core::Error::wrap)?;
    Ok(view.load(&Device::Cpu)?.to_dtype(variable.dtype())?.to_device(variable.device())?)
}

/// Every tensor by which a file differs from what the variables need.
fn differences(variables: &[(String, Var)], file: &SafeTensors) -> Vec<String> {
    let mut differences = Vec::new();
    let mut unexpected: BTreeSet<&str> = file.names().into_iter().collect();
    for (name, variable) in variables {
        unexpected.remove(name.as_str());
        let Ok(found) = file.tensor(name) else {
            differences.push(format!("missing: `{name}` {}", sizes(variable.dims())));
            continue;
        };
        if found.shape() != variable.dims() {
            differences.push(format!("shape: `{name}` should be {}, is {}", sizes(variable.dims()), sizes(found.shape())));
        } else if !is_float(&found) {
            differences.push(format!("type: `{name}` should be of floats, is of {}", found.dtype()));
        }
    }
    let found = unexpected.into_iter().filter_map(|name| Some((name, file.tensor(name).ok()?)));
    differences.extend(found.map(|(name, tensor)| format!("unexpected: `{name}` {}", sizes(tensor.shape()))));
    differences
}

fn is_float(tensor: &TensorView) -> bool {
    matches!(tensor.dtype(), Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64)
}

/// The epochs and steps that metadata tell of; 0 where there are none, as in a file of PyTorch.
fn counters(metadata: &HashMap<String, String>) -> Result<[u64; 2], String> {
    let number = |key: &str| match metadata.get(key) {
        Some(text) => {
            text.parse::<u64>().map_err(|_| format!("has `{text}` for `{key}` in its metadata, where a number belongs"))
        }
        None => Ok(0),
    };
    let version = number("format_version")?;
    if version > FORMAT_VERSION.into() {
        return Err(format!("is of format version {version}; this release reads up to {FORMAT_VERSION}"));
    }
    Ok([number("epoch")?, number("step")?])
}

/// The layers of a network, one a line: `conv2d = Conv2D(filters=32, kernel_size=[3, 3])(input) 26×26×32`.
fn architecture(graph: &Graph) -> String {
    let layer = |node: &crate::spec::Node| {
        let setting = |setting: Setting| format!("{}={}", setting.argument, setting.rust);
        let settings: Vec<String> = node.layer.settings().into_iter().map(setting).collect();
        let inputs: Vec<&str> = node.inputs.iter().map(|input| graph.nodes[*input].name).collect();
        format!("{} = {}({})({}) {}", node.name, node.layer.name(), settings.join(", "), inputs.join(", "), node.shape)
    };
    graph.nodes.iter().map(layer).collect::<Vec<_>>().join("\n")
}

/// The same file with its header in alphabetical order, which the library leaves to chance.
fn sorted_header(bytes: &[u8]) -> Vec<u8> {
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().expect("8 bytes")) as usize;
    let (header, data) = rest.split_at(length);
    let header: serde_json::Value = serde_json::from_slice(header).expect("the header just written");
    let mut sorted = header.to_string().into_bytes();
    sorted.resize(length, b' ');
    [&bytes[..8], &sorted, data].concat()
}

/// Puts a whole new file in the place of `path`, or leaves everything as it was.
fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".saving-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&target)?;
    // Makes the new name last; only Unix can open a directory for it.
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Other, Tiny, blobs};
    use crate::train::{Adam, Fit, SparseCategoricalCrossentropy, Verbose};
    use crate::{Context, Seed, Weights};
    use candle_core::DType;
    use candle_nn::VarBuilder;
    use std::path::PathBuf;
    use tempfile::{TempDir, tempdir};

    fn model<N: Network>(seed: u64) -> Model<N> {
        Model::new(&Device::Cpu, Seed(seed)).unwrap()
    }

    fn values<N>(model: &Model<N>) -> Vec<f32> {
        model.variables().iter().flat_map(|(_, var)| var.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect()
    }

    fn place() -> (TempDir, PathBuf) {
        let directory = tempdir().unwrap();
        let path = directory.path().join("tiny.safetensors");
        (directory, path)
    }

    fn names(directory: &TempDir) -> Vec<String> {
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_round_trip_keeps_every_bit_and_the_counters() {
        let (directory, path) = place();
        let mut trained = model::<Tiny>(1);
        trained.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []);
        trained.fit(&blobs(64), Fit::epochs(2).verbose(Verbose::Silent)).unwrap();
        trained.save(&path).unwrap();
        trained.save(&path).unwrap();
        assert_eq!(names(&directory), ["tiny.safetensors"]);

        let mut loaded = model::<Tiny>(2);
        assert_ne!(values(&loaded), values(&trained));
        loaded.load(&path).unwrap();
        assert_eq!(values(&loaded), values(&trained));
        assert_eq!((loaded.state.epoch, loaded.state.step, loaded.seed()), (2, 4, Seed(2)));

        let bytes = fs::read(&path).unwrap();
        loaded.state.seed = Seed(1);
        loaded.save(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn metadata_tell_what_the_file_is() {
        let (_directory, path) = place();
        model::<Tiny>(9).save(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap();
        assert_eq!(
            (metadata["format_version"].as_str(), metadata["model"].as_str(), metadata["seed"].as_str()),
            ("1", "Tiny", "9")
        );
        let expected = "input = Input(shape=Shape::new([2, 3, 2]))() 2×3×2\nflatten = Flatten()(input) 12\n\
                        dense = Dense(units=8, activation=Activation::Relu)(flatten) 8\n\
                        dense_1 = Dense(units=3, activation=Activation::Softmax)(dense) 3";
        assert_eq!(metadata["architecture"], expected);
    }

    #[test]
    fn candle_builds_the_network_from_the_file() {
        let (_directory, path) = place();
        let model = model::<Tiny>(4);
        model.save(&path).unwrap();
        let builder = VarBuilder::from_buffered_safetensors(fs::read(&path).unwrap(), DType::F32, &Device::Cpu).unwrap();
        let network = Tiny::build(&Weights::from_var_builder(builder)).unwrap();
        let (images, _) = blobs(5).batch(&[0, 1, 2, 3, 4], &Device::Cpu).unwrap();
        let output = network.call(std::slice::from_ref(&images), &Context::inference()).unwrap().remove(0);
        let difference = (output - model.predict(&images).unwrap()).unwrap().abs().unwrap().sum_all().unwrap();
        assert_eq!(difference.to_scalar::<f32>().unwrap(), 0.);
    }

    #[test]
    fn other_float_types_are_converted() {
        let (_directory, path) = place();
        let saved = model::<Tiny>(5);
        for dtype in [DType::F64, DType::BF16, DType::F16] {
            let tensors = saved.variables().iter().map(|(name, var)| (name.clone(), var.to_dtype(dtype).unwrap()));
            candle_core::safetensors::save(&tensors.collect(), &path).unwrap();
            let mut loaded = model::<Tiny>(6);
            loaded.load(&path).unwrap();
            let worst = values(&saved).iter().zip(values(&loaded)).map(|(a, b)| (a - b).abs()).fold(0., f32::max);
            assert!(worst < 4e-3, "{dtype:?} {worst}");
        }
    }

    #[test]
    fn another_models_file_is_refused_with_every_difference() {
        let (_directory, path) = place();
        model::<Other>(1).save(&path).unwrap();
        let mut tiny = model::<Tiny>(2);
        let before = values(&tiny);
        let expected = format!(
            "`{}` does not fit `Tiny`; nothing was loaded\n  \
             shape: `dense.weight` should be 8×12, is 3×12\n  \
             shape: `dense.bias` should be 8, is 3\n  \
             missing: `dense_1.weight` 3×8\n  \
             missing: `dense_1.bias` 3\n  \
             note: it was saved from `Other`",
            path.display()
        );
        assert_eq!(tiny.load(&path).unwrap_err().to_string(), expected);
        assert_eq!(values(&tiny), before);

        model::<Tiny>(1).save(&path).unwrap();
        let message = model::<Other>(2).load(&path).unwrap_err().to_string();
        assert!(message.contains("\n  unexpected: `dense_1.bias` 3\n  unexpected: `dense_1.weight` 3×8\n"), "{message}");
    }

    #[test]
    fn whole_numbers_are_no_weights() {
        let (_directory, path) = place();
        let tensors =
            model::<Other>(1).variables().iter().map(|(name, var)| (name.clone(), var.to_dtype(DType::I64).unwrap())).collect();
        candle_core::safetensors::save(&tensors, &path).unwrap();
        let message = model::<Other>(1).load(&path).unwrap_err().to_string();
        assert!(message.contains("type: `dense.bias` should be of floats, is of I64"), "{message}");
    }

    #[test]
    fn no_truncated_or_foreign_file_changes_the_model() {
        let (_directory, path) = place();
        model::<Tiny>(1).save(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        let mut tiny = model::<Tiny>(2);
        let before = values(&tiny);
        for length in (0..whole.len()).step_by(7) {
            fs::write(&path, &whole[..length]).unwrap();
            let message = tiny.load(&path).unwrap_err().to_string();
            assert!(message.starts_with(&format!("`{}` is not a whole safetensors file: ", path.display())), "{message}");
        }
        fs::write(&path, "weights, but in prose").unwrap();
        assert!(tiny.load(&path).is_err());
        assert!(tiny.load(path.with_file_name("nowhere")).unwrap_err().to_string().starts_with("cannot read `"));
        assert_eq!(values(&tiny), before);
    }

    #[test]
    fn later_formats_and_broken_counters_are_refused() {
        let with = |key: &str, value: &str| counters(&HashMap::from([(key.to_string(), value.to_string())]));
        assert_eq!(with("step", "12"), Ok([0, 12]));
        assert_eq!(with("format_version", "2").unwrap_err(), "is of format version 2; this release reads up to 1");
        assert_eq!(with("epoch", "-1").unwrap_err(), "has `-1` for `epoch` in its metadata, where a number belongs");
    }

    #[test]
    fn what_an_interrupted_save_leaves_harms_nothing() {
        let (directory, path) = place();
        let old = model::<Tiny>(1);
        old.save(&path).unwrap();
        fs::write(directory.path().join(".saving-abc123"), &fs::read(&path).unwrap()[..100]).unwrap();
        let mut loaded = model::<Tiny>(2);
        loaded.load(&path).unwrap();
        assert_eq!(values(&loaded), values(&old));
        loaded.save(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_save_that_fails_leaves_the_old_file() {
        let (directory, path) = place();
        model::<Tiny>(1).save(&path).unwrap();
        let old = fs::read(&path).unwrap();
        let occupied = directory.path().join("occupied");
        fs::create_dir_all(occupied.join("inside")).unwrap();
        let message = model::<Tiny>(2).save(&occupied).unwrap_err().to_string();
        assert!(message.starts_with(&format!("cannot write `{}`", occupied.display())), "{message}");
        assert!(model::<Tiny>(2).save(directory.path().join("no/such/place")).is_err());
        assert_eq!(fs::read(&path).unwrap(), old);
        let mut left = names(&directory);
        left.sort();
        assert_eq!(left, ["occupied", "tiny.safetensors"]);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_a_link_points_to_is_replaced() {
        let (directory, path) = place();
        let link = directory.path().join("latest");
        model::<Tiny>(1).save(&path).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        model::<Tiny>(2).save(&link).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let mut loaded = model::<Tiny>(3);
        loaded.load(&path).unwrap();
        assert_eq!(values(&loaded), values(&model::<Tiny>(2)));
    }
}
