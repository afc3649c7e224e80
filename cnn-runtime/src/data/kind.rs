//! What the type of a data set says of it: its name, the shape of its images, its number of classes.

use crate::spec::{self, Shape};

/// What all images of one kind have in common, known while the program compiles.
///
/// A [`Dataset<K>`](super::Dataset) is of kind `K`. `fit`, `evaluate` and `predict` then check its model while the program
/// compiles, and not only before the first step. A kind of your own is a type that says what it knows:
///
/// ```
/// use cnn_runtime::prelude::*;
///
/// enum Digits {}
///
/// impl data::Kind for Digits {
///     const NAME: &'static str = "the digits";
///     const SHAPE: Option<[usize; 3]> = Some([8, 8, 1]);
///     const CLASSES: Option<usize> = Some(10);
/// }
///
/// let digits: Dataset<Digits> = Dataset::new(vec![0u8; 128], [8, 8, 1], vec![3, 9])?.typed()?;
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
///
/// A model for others does not compile, wherever it meets them; here it lacks a channel, and there a class:
///
/// ```compile_fail,E0080
/// # use cnn_runtime::prelude::*;
/// # model! { Coloured { i = Input(28, 28, 3); x = Dense(10, softmax)(Flatten()(i)); } }
/// # let model = Coloured::new(&Device::Cpu, Seed(42))?;
/// let (train, test) = data::mnist("mnist")?;
/// model.predict(&test)?; // error: `Coloured` takes 28×28×3, the images of MNIST are 28×28×1
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
///
/// ```compile_fail,E0080
/// # use cnn_runtime::prelude::*;
/// # model! { Nine { i = Input(28, 28, 1); x = Dense(9, softmax)(Flatten()(i)); } }
/// # let model = Nine::new(&Device::Cpu, Seed(42))?;
/// let (train, test) = data::mnist("mnist")?;
/// model.evaluate(&test)?; // error: `Nine` gives 9 values for each image, MNIST has 10 classes
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
///
/// ```compile_fail,E0080
/// # use cnn_runtime::prelude::*;
/// # model! { Nine { i = Input(28, 28, 1); x = Dense(9, softmax)(Flatten()(i)); } }
/// # let mut model = Nine::new(&Device::Cpu, Seed(42))?;
/// let (train, test) = data::mnist("mnist")?;
/// model.fit(&train.untyped(), Fit::epochs(1).validation(&test))?; // and what a model is validated on counts, too
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
pub trait Kind {
    /// What the data set is called in an error, such as `Fashion-MNIST` or `the digits`.
    const NAME: &'static str;

    /// The shape of each image, `H, W, C`; `None` if it is only known at run time.
    const SHAPE: Option<[usize; 3]> = None;

    /// The number of classes; `None` if it is only known at run time.
    const CLASSES: Option<usize> = None;
}

/// Images of any shape and classes: all is found out at run time.
#[derive(Clone, Copy, Debug)]
pub enum Any {}

impl Kind for Any {
    const NAME: &'static str = "";
}

/// 28×28 grey images of the ten digits (LeCun et al., 1998).
#[derive(Clone, Copy, Debug)]
pub enum MNIST {}

impl Kind for MNIST {
    const NAME: &'static str = "MNIST";
    const SHAPE: Option<[usize; 3]> = Some([28, 28, 1]);
    const CLASSES: Option<usize> = Some(10);
}

/// 28×28 grey images of ten kinds of clothes (Xiao, Rasul & Vollgraf, 2017).
#[derive(Clone, Copy, Debug)]
pub enum FashionMNIST {}

impl Kind for FashionMNIST {
    const NAME: &'static str = "Fashion-MNIST";
    const SHAPE: Option<[usize; 3]> = Some([28, 28, 1]);
    const CLASSES: Option<usize> = Some(10);
}

/// 32×32 colour images of ten classes of animals and vehicles (Krizhevsky, 2009).
#[derive(Clone, Copy, Debug)]
pub enum CIFAR10 {}

impl Kind for CIFAR10 {
    const NAME: &'static str = "CIFAR-10";
    const SHAPE: Option<[usize; 3]> = Some([32, 32, 3]);
    const CLASSES: Option<usize> = Some(10);
}

/// What the rule book is told of data of this kind.
pub(crate) const fn known<K: Kind>() -> spec::Data<'static> {
    let shape = match K::SHAPE {
        Some(shape) => Some(Shape::new(shape)),
        None => None,
    };
    spec::Data { name: K::NAME, shape, classes: K::CLASSES }
}
