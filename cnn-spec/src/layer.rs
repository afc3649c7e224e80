//! What every layer has in common: the facts a rule infers, and the declarations that give a layer its arguments.

use crate::activation::Activation;
use crate::{Dim, Parameters, Shape, Text};

/// What follows from a layer's arguments and the shapes of its inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inferred {
    /// The shape of its output, without the batch.
    pub shape: Shape,
    /// The tensors it trains.
    pub parameters: Parameters,
    /// Multiply-adds for one example, or `None` while a size is unknown.
    pub macs: Option<u64>,
    /// How far one output cell sees.
    pub reach: Reach,
    /// The function its output ends in.
    pub ends_in: Activation,
    /// How the sizes of its output come about, such as `(28 + 2·0 − 3)/1 + 1 = 26`; empty where nothing is to be added up.
    pub sum: Text,
}

impl Inferred {
    /// A layer without parameters or multiplications, each of whose output cells sees one cell of its input.
    pub const fn shape(shape: Shape) -> Self {
        Self {
            shape,
            parameters: Parameters::NONE,
            macs: Some(0),
            reach: Reach::Cell,
            ends_in: Activation::Linear,
            sum: Text::new(),
        }
    }

    /// How far one output cell sees.
    pub const fn reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// How the sizes of its output come about.
    pub const fn sum(mut self, sum: Text) -> Self {
        self.sum = sum;
        self
    }

    pub(crate) const fn ends_in(mut self, activation: Activation) -> Self {
        self.ends_in = activation;
        self
    }

    /// The tensors it trains or keeps.
    pub const fn parameters(mut self, parameters: Parameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// Multiply-adds for one example, `None` while a size is unknown.
    pub const fn macs(mut self, macs: Option<u64>) -> Self {
        self.macs = macs;
        self
    }
}

/// How far one output cell of a layer sees into its input, along height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The one cell at its own place.
    Cell,
    /// A window.
    Window {
        /// The cells it spans, gaps included.
        span: [usize; 2],
        /// The cells from one position to the next.
        strides: [usize; 2],
    },
    /// The window of a transposed convolution, which steps less than a cell.
    Transposed {
        /// The most cells it spans.
        span: [usize; 2],
        /// The positions from one cell to the next.
        strides: [usize; 2],
    },
    /// Everything.
    Whole,
}

/// The shape of spatial `sizes`, such as height and width, and `channels`.
pub(crate) const fn image_of<const N: usize>(sizes: [Dim; N], channels: Dim) -> Shape {
    let mut dims = [channels; Shape::MAX_RANK];
    let mut axis = 0;
    while axis < N {
        dims[axis] = sizes[axis];
        axis += 1;
    }
    Shape::of(dims.split_at(N + 1).0)
}

/// Height and width of what `cells` says of each spatial axis: a sequence runs down, a volume is seen from the front.
pub(crate) const fn height_and_width<const N: usize>(cells: [usize; N]) -> [usize; 2] {
    match N {
        1 => [cells[0], 1],
        _ => [cells[N - 2], cells[N - 1]],
    }
}

/// Declares a layer: its struct, a constructor from the arguments it must have, a method for each other argument, and
/// the table by which `model!` reads calls.
///
/// The arguments before `;` are required, those after it have defaults; positional values fill both in this order.
macro_rules! layer {
    (
        $(#[$doc:meta])*
        $name:ident $snake:literal {
            $( $(#[$required_doc:meta])* $required:ident $(| $required_alias:ident)*: $required_type:ty, )*
            ;
            $( $(#[$optional_doc:meta])* $optional:ident $(| $optional_alias:ident)*: $optional_type:ty = $default:expr, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name {
            $( $(#[$required_doc])* pub $required: $required_type, )*
            $( $(#[$optional_doc])* pub $optional: $optional_type, )*
        }

        impl $name {
            /// The layer's name in the language.
            pub const NAME: &'static str = stringify!($name);

            /// What layers of this kind are called when they are given no name.
            pub const SNAKE_NAME: &'static str = $snake;

            /// The arguments it takes, in positional order.
            pub const ARGUMENTS: &'static [$crate::Argument] = &[
                $( $crate::Argument {
                    name: stringify!($required),
                    aliases: &[$(stringify!($required_alias)),*],
                    kind: <$required_type as $crate::FromValue>::KIND,
                    default: None,
                }, )*
                $( $crate::Argument {
                    name: stringify!($optional),
                    aliases: &[$(stringify!($optional_alias)),*],
                    kind: <$optional_type as $crate::FromValue>::KIND,
                    default: Some(stringify!($default)),
                }, )*
            ];

            /// The layer with the arguments it must have, and defaults for the rest.
            #[allow(clippy::new_without_default)]
            pub const fn new($($required: $required_type),*) -> Self {
                Self { $($required,)* $($optional: $default,)* }
            }

            $(
                $(#[$optional_doc])*
                pub const fn $optional(mut self, $optional: $optional_type) -> Self {
                    self.$optional = $optional;
                    self
                }
            )*

            /// Reads the layer from one value for each of [`Self::ARGUMENTS`], `None` where none was given.
            ///
            /// # Errors
            /// The place of each argument whose value is refused, with the reason; none, if all that is wrong is that a
            /// required argument has no value.
            pub fn from_values(values: &[Option<$crate::Value>]) -> Result<Self, Vec<(usize, $crate::Refusal)>> {
                #[allow(unused_mut)]
                let mut reader = $crate::layer::Reader::new(values);
                $( let $required = reader.read(stringify!($required)); )*
                $( let $optional = reader.read(stringify!($optional)); )*
                reader.close()?;
                let layer = Self::new($($required.ok_or_else(Vec::new)?),*);
                $( let layer = match $optional { Some(value) => layer.$optional(value), None => layer }; )*
                Ok(layer)
            }

            /// The arguments that were given, as Rust source, where constants may stand for numbers.
            ///
            /// # Errors
            /// As of [`Self::from_values`].
            pub fn sources(values: &[Option<$crate::Value>]) -> Result<Vec<$crate::Setting>, Vec<(usize, $crate::Refusal)>> {
                #[allow(unused_mut)]
                let mut reader = $crate::layer::Reader::new(values);
                let required: Vec<Option<$crate::Setting>> =
                    vec![$( reader.source::<$required_type>(stringify!($required), true) ),*];
                let optional: Vec<Option<$crate::Setting>> =
                    vec![$( reader.source::<$optional_type>(stringify!($optional), false) ),*];
                reader.close()?;
                let required: Vec<$crate::Setting> = required.into_iter().collect::<Option<_>>().ok_or_else(Vec::new)?;
                Ok(required.into_iter().chain(optional.into_iter().flatten()).collect())
            }

            /// The arguments that differ from their defaults, as Rust source.
            pub fn settings(&self) -> Vec<$crate::Setting> {
                #[allow(unused_mut)]
                let mut settings = vec![
                    $( $crate::Setting {
                        argument: stringify!($required),
                        rust: $crate::FromValue::to_rust(&self.$required),
                        required: true,
                    }, )*
                ];
                $(
                    let default: $optional_type = $default;
                    if self.$optional != default {
                        let rust = $crate::FromValue::to_rust(&self.$optional);
                        settings.push($crate::Setting { argument: stringify!($optional), rust, required: false });
                    }
                )*
                settings
            }
        }
    };
}
pub(crate) use layer;

/// Reads the values of an argument list one after the other.
pub(crate) struct Reader<'a> {
    given: std::iter::Enumerate<std::slice::Iter<'a, Option<crate::Value>>>,
    refusals: Vec<(usize, crate::Refusal)>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(values: &'a [Option<crate::Value>]) -> Self {
        Self { given: values.iter().enumerate(), refusals: Vec::new() }
    }

    /// The next value, for the argument called `name`; `None` if there is none, or it is refused.
    pub(crate) fn read<T: crate::FromValue>(&mut self, name: &str) -> Option<T> {
        let (place, value) = self.given.next()?;
        T::from_value(value.as_ref()?, name).map_err(|refusal| self.refusals.push((place, refusal))).ok()
    }

    /// The source of the next value, unless there is none, or it is refused.
    pub(crate) fn source<T: crate::FromValue>(&mut self, argument: &'static str, required: bool) -> Option<crate::Setting> {
        let (place, value) = self.given.next()?;
        let rust = T::source(value.as_ref()?, argument).map_err(|refusal| self.refusals.push((place, refusal))).ok()?;
        Some(crate::Setting { argument, rust, required })
    }

    /// The places and reasons of all that was refused, if anything was.
    pub(crate) fn close(self) -> Result<(), Vec<(usize, crate::Refusal)>> {
        if self.refusals.is_empty() { Ok(()) } else { Err(self.refusals) }
    }
}

/// Declares [`Layer`], the sum of all layers, and how each is found by its name.
macro_rules! layers {
    ($($module:ident::$name:ident,)*) => {
        $(pub use $module::$name;)*

        /// Any layer of the language.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Layer {
            $( #[doc = concat!("A [`struct@", stringify!($name), "`] layer.")] $name($name), )*
            /// Another network.
            Model(&'static Graph),
            /// A layer of the user's own.
            Custom(&'static Custom),
        }

        impl Layer {
            /// The name of every layer.
            pub const NAMES: &'static [&'static str] = &[$($name::NAME,)*];

            /// The layer's name in the language, such as `Conv2D`.
            pub const fn name(&self) -> &'static str {
                match self { $( Layer::$name(_) => $name::NAME, )* Layer::Model(graph) => graph.name, Layer::Custom(custom) => custom.name }
            }

            /// What the layer is called when it is given no name, such as `conv2d`.
            pub const fn snake_name(&self) -> &'static str {
                match self { $( Layer::$name(_) => $name::SNAKE_NAME, )* Layer::Model(_) => "model", Layer::Custom(_) => "custom" }
            }

            /// What layers called `name` are called when they are given no name.
            pub fn snake_name_of(name: &str) -> Option<&'static str> {
                match name { $( $name::NAME => Some($name::SNAKE_NAME), )* _ => None }
            }

            /// Checks the layer against the tensors it is applied to, and infers what follows.
            ///
            /// # Errors
            /// If an argument or an input breaks a rule of the layer.
            pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
                let inferred = match self {
                    $( Layer::$name(layer) => layer.infer(inputs), )*
                    Layer::Model(graph) => graph.infer(inputs),
                    Layer::Custom(custom) => Ok(custom.inferred),
                };
                let inferred = match inferred {
                    Ok(inferred) => inferred,
                    Err(error) => return Err(error),
                };
                if let Err(error) = inferred.constraints_fit() {
                    return Err(error);
                }
                match rules::bounded(self.name(), &inferred.shape) {
                    Ok(()) => rules::activated(self.name(), inferred),
                    Err(error) => Err(error),
                }
            }

            /// The arguments of the layer called `name`, in positional order.
            pub fn arguments(name: &str) -> Option<&'static [Argument]> {
                match name { $( $name::NAME => Some($name::ARGUMENTS), )* Custom::NAME => Some(Custom::ARGUMENTS), _ => None }
            }

            /// Reads the layer called `name` from one value for each of its arguments.
            ///
            /// # Errors
            /// The place of each argument whose value is refused, with the reason; none, if all that is wrong is that a
            /// required argument has no value.
            ///
            /// # Panics
            /// If there is no such layer.
            pub fn from_values(name: &str, values: &[Option<Value>]) -> Result<Self, Vec<(usize, Refusal)>> {
                match name { $( $name::NAME => $name::from_values(values).map(Layer::$name), )* _ => panic!("no layer `{name}`") }
            }

            /// The arguments given to the layer called `name`, as Rust source, where constants may stand for numbers.
            ///
            /// # Errors
            /// As of [`Self::from_values`].
            ///
            /// # Panics
            /// If there is no such layer.
            pub fn sources(name: &str, values: &[Option<Value>]) -> Result<Vec<Setting>, Vec<(usize, Refusal)>> {
                match name { $( $name::NAME => $name::sources(values), )* _ => panic!("no layer `{name}`") }
            }

            /// The arguments that differ from their defaults, as Rust source.
            pub fn settings(&self) -> Vec<Setting> {
                match self { $( Layer::$name(layer) => layer.settings(), )* Layer::Model(_) | Layer::Custom(_) => Vec::new() }
            }
        }
    };
}
pub(crate) use layers;

#[cfg(test)]
mod tests {
    use crate::Layer;

    #[test]
    fn kinds_have_automatic_names() {
        assert_eq!(Layer::snake_name_of("MaxPooling2D"), Some("max_pooling2d"));
        assert_eq!(Layer::snake_name_of("max_pooling2d"), None);
        assert!(Layer::NAMES.iter().all(|name| Layer::snake_name_of(name).is_some()));
    }
}
