//! The tensors of a layer, trained or kept: names, shapes and how they begin.

use crate::{Constraint, Initializer, Regularizer, Shape, ShapeError};

/// One tensor of a layer that is trained or kept: its name, layout and first values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Its name under the layer's, as candle_nn and PyTorch call it: `weight`, `bias`.
    pub name: &'static str,
    dims: [usize; Parameter::MAX_RANK],
    rank: usize,
    /// How its first values are drawn.
    pub initializer: Initializer,
    /// The number of inputs that feed one output, which variance-scaling initializers need.
    pub fan_in: usize,
    /// The number of outputs that one input feeds.
    pub fan_out: usize,
    /// What its values add to the training loss, if anything.
    pub regularizer: Option<Regularizer>,
    /// What its values are held to after each step of training, if anything.
    pub constraint: Option<Constraint>,
    /// The argument that says so.
    pub(crate) constraint_argument: &'static str,
    layout: Layout,
    /// Whether it is a statistic of the data that training keeps, such as a running mean, and no gradient changes.
    pub is_statistic: bool,
}

impl Parameter {
    /// The most axes a parameter can have, as many as a shape: some are of the shape of their layer's input.
    pub const MAX_RANK: usize = Shape::MAX_RANK;

    /// A parameter in PyTorch's layout, all of whose axes are in the same order in Keras; see [`Self::kernel`] and
    /// [`Self::matrix`] for those that are not.
    pub const fn new<const N: usize>(name: &'static str, sizes: [usize; N], initializer: Initializer) -> Self {
        Self::of(name, &sizes, initializer)
    }

    /// A parameter of these sizes.
    ///
    /// # Panics
    /// If there are more than [`Parameter::MAX_RANK`] sizes.
    pub const fn of(name: &'static str, sizes: &[usize], initializer: Initializer) -> Self {
        let mut dims = [1; Self::MAX_RANK];
        let mut i = 0;
        while i < sizes.len() {
            dims[i] = sizes[i];
            i += 1;
        }
        Self {
            name,
            dims,
            rank: sizes.len(),
            initializer,
            fan_in: 1,
            fan_out: 1,
            regularizer: None,
            constraint: None,
            constraint_argument: "",
            layout: Layout::Same,
            is_statistic: false,
        }
    }

    /// The weight of a convolution: `outer, inner`, and the `size` of its kernel along each spatial axis. In Keras the spatial
    /// axes come first, then `inner, outer`.
    pub const fn kernel<const N: usize>(
        name: &'static str,
        [outer, inner]: [usize; 2],
        size: [usize; N],
        initializer: Initializer,
    ) -> Self {
        let mut sizes = [outer, inner, 1, 1, 1];
        let mut axis = 0;
        while axis < N {
            sizes[axis + 2] = size[axis];
            axis += 1;
        }
        Self { rank: N + 2, layout: Layout::Kernel, ..Self::new(name, sizes, initializer) }
    }

    /// The weight of a matrix product: `outputs, inputs`; in Keras `inputs, outputs`.
    pub const fn matrix(name: &'static str, sizes: [usize; 2], initializer: Initializer) -> Self {
        Self { layout: Layout::Kernel, ..Self::new(name, sizes, initializer) }
    }

    /// The same weight of a convolution, where so many filters in a row are of one channel.
    pub(crate) const fn depthwise(mut self, multiplier: usize) -> Self {
        self.layout = Layout::Depthwise(multiplier);
        self
    }

    /// The same tensor by another name.
    pub const fn called(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Sets the fans that variance-scaling initializers divide by.
    pub const fn fans(mut self, fan_in: usize, fan_out: usize) -> Self {
        self.fan_in = fan_in;
        self.fan_out = fan_out;
        self
    }

    /// The same tensor with what its values add to the training loss.
    pub const fn regularized(mut self, regularizer: Option<Regularizer>) -> Self {
        self.regularizer = regularizer;
        self
    }

    /// The same tensor with what its values are held to after each step of training, as `argument` says; the axes of the
    /// constraint are those it has in Keras.
    pub const fn constrained(mut self, argument: &'static str, constraint: Option<Constraint>) -> Self {
        self.constraint = constraint;
        self.constraint_argument = argument;
        self
    }

    /// The same tensor as a statistic that training keeps and no gradient changes.
    pub const fn statistic(mut self) -> Self {
        self.is_statistic = true;
        self
    }

    /// Its sizes, in the layout of a checkpoint.
    pub const fn dims(&self) -> &[usize] {
        self.dims.split_at(self.rank).0
    }

    /// The axes it has in Keras, outermost first: the size of each, its place among [`Self::view`]'s, and how many there are.
    const fn in_keras(&self) -> ([(usize, usize); Self::MAX_RANK], usize) {
        let (view, mut axes) = (self.view(), [(1, 0); Self::MAX_RANK]);
        let mut axis = 0;
        while axis < self.rank {
            // The spatial axes come first, then channels in and out, which are stored the other way round.
            let place = match self.layout {
                Layout::Same => axis,
                Layout::Kernel | Layout::Depthwise(_) if axis + 2 < self.rank => axis + 2,
                Layout::Kernel => self.rank - 1 - axis,
                Layout::Depthwise(_) => axis + 2 - self.rank,
            };
            axes[axis] = (view[place], place);
            axis += 1;
        }
        (axes, self.rank)
    }

    /// The sizes it has in Keras, and how many there are.
    pub(crate) const fn sizes_in_keras(&self) -> ([usize; Self::MAX_RANK], usize) {
        let (axes, rank) = self.in_keras();
        let (mut sizes, mut axis) = ([1; Self::MAX_RANK], 0);
        while axis < rank {
            sizes[axis] = axes[axis].0;
            axis += 1;
        }
        (sizes, rank)
    }

    /// Its sizes where each axis is one that it has in Keras, though in another order: those of [`Self::dims`], but for
    /// filters of single channels, whose first axis is two in Keras.
    const fn view(&self) -> [usize; Self::MAX_RANK] {
        let mut view = self.dims;
        if let Layout::Depthwise(multiplier) = self.layout {
            view[0] = self.dims[0] / multiplier;
            view[1] = multiplier;
        }
        view
    }

    /// The sizes to view its values in so that a constraint can take norms along axes, and for each whether it does.
    ///
    /// Its axes are Keras', which are stored in another order here; an axis there may be part of one here.
    ///
    /// # Errors
    /// If the constraint is for an axis that there is not.
    pub fn constrained_axes(&self) -> Result<Vec<(usize, bool)>, ShapeError> {
        let along = self.held_along()?;
        let mut axes: Vec<(usize, bool)> = self.view()[..self.rank].iter().map(|size| (*size, false)).collect();
        for ((_, place), is_along) in self.in_keras().0[..self.rank].iter().zip(along) {
            axes[*place].1 = is_along;
        }
        Ok(axes)
    }

    /// How many numbers it holds.
    pub const fn count(&self) -> u64 {
        let mut count = 1u64;
        let mut i = 0;
        while i < self.rank {
            count = count.saturating_mul(self.dims[i] as u64);
            i += 1;
        }
        count
    }
}

/// How the axes of a parameter lie to those it has in Keras.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    /// They are the same.
    Same,
    /// Outputs, inputs and the kernel's axes; Keras' are the kernel's, then inputs and outputs.
    Kernel,
    /// So many filters for each channel, 1, and the kernel's axes; Keras' are the kernel's, then channels and filters of each.
    Depthwise(usize),
}

/// All the parameters of one layer, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    items: [Parameter; Parameters::MAX],
    len: usize,
}

impl Parameters {
    /// The most parameters a layer can have.
    pub const MAX: usize = 4;

    /// No parameters.
    pub const NONE: Self = Self { items: [Parameter::new("", [], Initializer::Zeros); Self::MAX], len: 0 };

    /// Adds one.
    ///
    /// # Panics
    /// If there are [`Parameters::MAX`] already.
    #[track_caller]
    pub const fn with(mut self, parameter: Parameter) -> Self {
        assert!(
            self.len < Self::MAX,
            "a layer names more than `Parameters::MAX` tensors\n  help: split it into two layers, or stack tensors of one shape into one"
        );
        self.items[self.len] = parameter;
        self.len += 1;
        self
    }

    /// The parameters as a slice.
    pub const fn as_slice(&self) -> &[Parameter] {
        self.items.split_at(self.len).0
    }

    /// How many numbers they hold together, statistics aside.
    pub const fn count(&self) -> u64 {
        let mut count = 0u64;
        let mut i = 0;
        while i < self.len {
            if !self.items[i].is_statistic {
                count = count.saturating_add(self.items[i].count());
            }
            i += 1;
        }
        count
    }
}
