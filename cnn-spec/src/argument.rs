//! The arguments of layers: their names, defaults and kinds, and how values written in a model become Rust values.

use crate::activation::Activation;
use crate::{Constraint, Dim, Initializer, Padding, Regularizer, Shape};
use std::fmt;

/// One argument of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Argument {
    /// Its name, as Keras has it.
    pub name: &'static str,
    /// Other names it answers to.
    pub aliases: &'static [&'static str],
    /// What it takes.
    pub kind: Kind,
    /// Its default as it would be written in a model, or `None` when it must be given.
    pub default: Option<&'static str>,
}

impl Argument {
    /// The argument every layer has besides its own: the name it goes by in summaries and checkpoints.
    pub const NAME: Argument = Argument { name: "name", aliases: &[], kind: Kind::Name, default: Some("automatic") };

    /// The argument by which training leaves a layer as it is.
    pub const FROZEN: Argument = Argument { name: "frozen", aliases: &[], kind: Kind::Flag, default: Some("false") };

    /// Keras' word for the opposite of [`Self::FROZEN`].
    pub const TRAINABLE: Argument = Argument { name: "trainable", aliases: &[], kind: Kind::Flag, default: Some("true") };

    /// Whether it answers to `name`.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// Whether the bare word alone says what it should be, as `relu` does for an activation or `strict` for a switch.
    pub fn takes_bare(&self, word: &str) -> bool {
        match self.kind {
            Kind::Flag => self.is_called(word),
            Kind::Padding(_) | Kind::Activation | Kind::Word(_) => self.kind.words().contains(&word),
            _ => false,
        }
    }
}

/// What an argument takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One size.
    Size,
    /// A size for each axis, or one for all.
    Sizes(usize),
    /// The sizes of a shape, as many as there are.
    Shape,
    /// The sizes of a shape, one of which may be left to follow from the others.
    Target,
    /// The padding of so many axes.
    Padding(usize),
    /// Cells before and after, for each of so many axes.
    Cells(usize),
    /// A real number.
    Number,
    /// One real number or several.
    Numbers,
    /// Two real numbers with all that lies between, or one for both its negative and itself.
    Interval,
    /// A switch.
    Flag,
    /// An activation function.
    Activation,
    /// An initializer.
    Initializer,
    /// A regularizer.
    Regularizer,
    /// A constraint.
    Constraint,
    /// A whole number that may be negative, such as an axis counted from the end.
    Integer,
    /// Any number of axes.
    Axes,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A free name.
    Name,
    /// A layer of the user's own.
    Layer,
}

impl Kind {
    /// The words it knows.
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Kind::Padding(1) => &["valid", "same", "full", "causal"],
            Kind::Padding(_) => &["valid", "same", "full"],
            Kind::Flag => &["true", "false"],
            Kind::Activation => Activation::WORDS,
            Kind::Initializer => Initializer::WORDS,
            Kind::Regularizer => Regularizer::WORDS,
            Kind::Constraint => Constraint::WORDS,
            Kind::Word(words) => words,
            _ => &[],
        }
    }

    /// Whether every positional number that is left belongs to it.
    pub const fn takes_the_rest(self) -> bool {
        matches!(self, Kind::Shape | Kind::Target)
    }
}

/// A value as written in a model, before any layer has looked at it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i128),
    /// A number with a fraction.
    Float(f64),
    /// A bare word or a string.
    Word(String),
    /// `true` or `false`.
    Bool(bool),
    /// `_`, a size known only at run time.
    Unknown,
    /// Values in parentheses.
    Tuple(Vec<Value>),
    /// A name with values of its own, each perhaps with a keyword, such as `L2(0.001)`.
    Call(String, Vec<(Option<String>, Value)>),
    /// A constant whose value only the compiler knows.
    Constant(Constant),
}

/// A constant expression, such as `2 * CLASSES`, and the name that stands for it in Rust source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constant {
    /// What was written.
    pub text: String,
    /// An identifier, which is to be replaced by the expression itself.
    pub stand_in: String,
}

impl Value {
    /// Whether its value, or that of a part of it, is one that only the compiler knows.
    pub fn has_constants(&self) -> bool {
        match self {
            Value::Constant(_) => true,
            Value::Tuple(values) => values.iter().any(Value::has_constants),
            Value::Call(_, arguments) => arguments.iter().any(|(_, value)| value.has_constants()),
            _ => false,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(n) => write!(f, "{n}"),
            Value::Float(x) => write!(f, "{x:?}"),
            Value::Word(word) => write!(f, "{word}"),
            Value::Bool(flag) => write!(f, "{flag}"),
            Value::Unknown => write!(f, "_"),
            Value::Constant(constant) => write!(f, "{}", constant.text),
            Value::Tuple(values) => {
                let values: Vec<_> = values.iter().map(Value::to_string).collect();
                write!(f, "({})", values.join(", "))
            }
            Value::Call(name, arguments) => {
                let argument = |(keyword, value): &(Option<String>, Value)| match keyword {
                    Some(keyword) => format!("{keyword}={value}"),
                    None => value.to_string(),
                };
                write!(f, "{name}({})", arguments.iter().map(argument).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// Why a value is not one an argument takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The element of the tuple that is wrong, or `None` for the whole value.
    pub element: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// A fix.
    pub help: Option<String>,
    /// The word that is unknown, with the words that are not: for a suggestion.
    pub unknown: Option<(String, &'static [&'static str])>,
}

impl Refusal {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { element: None, message: message.into(), help: Some(help.into()), unknown: None }
    }

    pub(crate) fn at(self, element: usize) -> Self {
        Self { element: Some(element), ..self }
    }
}

/// One argument of a layer as Rust source, for the code that builds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The argument's name.
    pub argument: &'static str,
    /// Its value as a Rust expression.
    pub rust: String,
    /// Whether it is one the constructor takes, rather than a method after it.
    pub required: bool,
}

/// A Rust type that an argument can have.
pub trait FromValue: Sized {
    /// What the argument takes.
    const KIND: Kind;

    /// Reads a value for the argument called `name`.
    ///
    /// # Errors
    /// If the value is not one the argument takes.
    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal>;

    /// The value as a Rust expression, given that this crate's types are in scope.
    fn to_rust(&self) -> String;

    /// The Rust expression for a value that may have constants in it, whose values the rules check later.
    ///
    /// # Errors
    /// If the value is not one the argument takes, or no constant may stand where one does.
    fn source(value: &Value, name: &str) -> Result<String, Refusal> {
        match value.has_constants() {
            false => Self::from_value(value, name).map(|value| value.to_rust()),
            true => Err(Refusal::new(format!("`{value}` must be written out"), format!("write the value of `{name}` itself"))),
        }
    }
}

/// The source of a number, which a constant may stand for.
fn number<T: FromValue>(value: &Value, name: &str) -> Result<String, Refusal> {
    match value {
        Value::Constant(constant) => Ok(constant.stand_in.clone()),
        value => T::from_value(value, name).map(|number| number.to_rust()),
    }
}

/// The source of each element of a tuple.
fn elements<T: FromValue>(values: &[Value], name: &str) -> Result<Vec<String>, Refusal> {
    let source = |(i, value)| T::source(value, name).map_err(|refusal: Refusal| refusal.at(i));
    values.iter().enumerate().map(source).collect()
}

/// The source of the sizes of a shape, some of which may be open.
pub(crate) fn dims(values: &[Value], name: &str, is_open: impl Fn(&Value) -> bool) -> Result<String, Refusal> {
    let dim = |(i, value)| match value {
        open if is_open(open) => Ok("Dim::Unknown".into()),
        value => usize::source(value, name).map(|size| format!("Dim::Known({size})")).map_err(|refusal: Refusal| refusal.at(i)),
    };
    let dims: Vec<String> = values.iter().enumerate().map(dim).collect::<Result<_, _>>()?;
    Ok(format!("&[{}]", dims.join(", ")))
}

impl FromValue for usize {
    const KIND: Kind = Kind::Size;

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        match value {
            Value::Int(n) if *n < 0 => {
                Err(Refusal::new(format!("`{name}` cannot be negative, found {n}"), "use a whole number, `1` or more"))
            }
            Value::Int(n) if *n > Shape::MAX_SIZE as i128 => {
                Err(Refusal::new(format!("`{name}` may not exceed {}, found {n}", Shape::MAX_SIZE), "use a smaller size"))
            }
            Value::Int(n) => Ok(*n as usize),
            Value::Word(word) if word.parse::<u32>().is_ok() => Err(Refusal::new(
                format!("`{name}` takes a whole number, found a word"),
                format!("leave out the quotes: `{word}`"),
            )),
            other => {
                Err(Refusal::new(format!("`{name}` takes a whole number, found `{other}`"), "use a whole number, `1` or more"))
            }
        }
    }

    fn to_rust(&self) -> String {
        self.to_string()
    }

    fn source(value: &Value, name: &str) -> Result<String, Refusal> {
        number::<Self>(value, name)
    }
}

impl FromValue for isize {
    const KIND: Kind = Kind::Integer;

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        match value {
            Value::Int(n) if n.unsigned_abs() <= Shape::MAX_SIZE as u128 => Ok(*n as isize),
            Value::Int(n) => {
                Err(Refusal::new(format!("`{name}` may not exceed {}, found {n}", Shape::MAX_SIZE), "use a smaller number"))
            }
            other => {
                Err(Refusal::new(format!("`{name}` takes a whole number, found `{other}`"), "use a whole number such as `-1`"))
            }
        }
    }

    fn to_rust(&self) -> String {
        self.to_string()
    }

    fn source(value: &Value, name: &str) -> Result<String, Refusal> {
        number::<Self>(value, name)
    }
}

impl<const N: usize> FromValue for [usize; N] {
    const KIND: Kind = Kind::Sizes(N);

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        let Value::Tuple(values) = value else {
            return usize::from_value(value, name).map(|n| [n; N]);
        };
        if values.len() != N {
            let kind = if N == 1 { "size" } else { "sizes" };
            let message = format!("`{name}` takes {N} {kind}, found {}", values.len());
            let example = if N == 1 { "3".into() } else { Value::Tuple(vec![Value::Int(3); N]).to_string() };
            return Err(Refusal::new(message, format!("use one size for each axis, as in `{name}={example}`")));
        }
        let mut sizes = [0; N];
        for (i, value) in values.iter().enumerate() {
            sizes[i] = usize::from_value(value, name).map_err(|refusal| refusal.at(i))?;
        }
        Ok(sizes)
    }

    fn to_rust(&self) -> String {
        format!("{self:?}")
    }

    fn source(value: &Value, name: &str) -> Result<String, Refusal> {
        match value {
            Value::Constant(constant) => Ok(format!("[{}; {N}]", constant.stand_in)),
            Value::Tuple(values) if values.len() == N => Ok(format!("[{}]", elements::<usize>(values, name)?.join(", "))),
            value => Self::from_value(value, name).map(|sizes| sizes.to_rust()),
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const KIND: Kind = T::KIND;

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        T::from_value(value, name).map(Some)
    }

    fn to_rust(&self) -> String {
        match self {
            Some(value) => format!("Some({})", value.to_rust()),
            None => "None".into(),
        }
    }

    fn source(value: &Value, name: &str) -> Result<String, Refusal> {
        T::source(value, name).map(|source| format!("Some({source})"))
    }
}

impl FromValue for Shape {
    const KIND: Kind = Kind::Shape;

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        let values = match value {
            Value::Tuple(values) => values.as_slice(),
            other => std::slice::from_ref(other),
        };
        if values.is_empty() || values.len() > Shape::MAX_RANK {
            let message = format!("`{name}` takes 1 to {} sizes, found {}", Shape::MAX_RANK, values.len());
            return Err(Refusal::new(message, "give height, width, channels, as in `28, 28, 1`"));
        }
        let dim = |(i, value): (usize, &Value)| match value {
            Value::Unknown => Ok(Dim::Unknown),
            Value::Word(word) if word == "None" => {
                let help = "leave it out if it is the batch, which is never written; a size known only at run time is `_`";
                Err(Refusal::new("`None` is no size", help).at(i))
            }
            value => usize::from_value(value, name).map(Dim::Known).map_err(|refusal| refusal.at(i)),
        };
        let dims: Vec<Dim> = values.iter().enumerate().map(dim).collect::<Result<_, _>>()?;
        Ok(Shape::of(&dims))
    }

    fn to_rust(&self) -> String {
        let sizes: Vec<String> = self.dims().iter().map(|dim| Dim::known(*dim).map_or("_".into(), |n| n.to_string())).collect();
        if self.is_known() {
            return format!("Shape::new([{}])", sizes.join(", "));
        }
        let dims = sizes.iter().map(|size| if size == "_" { "Dim::Unknown".into() } else { format!("Dim::Known({size})") });
        format!("Shape::of(&[{}])", dims.collect::<Vec<_>>().join(", "))
    }

    fn source(value: &Value, name: &str) -> Result<String, Refusal> {
        match value {
            Value::Tuple(values) if value.has_constants() && (1..=Self::MAX_RANK).contains(&values.len()) => {
                Ok(format!("Shape::of({})", dims(values, name, |value| *value == Value::Unknown)?))
            }
            Value::Constant(constant) => Ok(format!("Shape::of(&[Dim::Known({})])", constant.stand_in)),
            value => Self::from_value(value, name).map(|shape| shape.to_rust()),
        }
    }
}

impl<const N: usize> FromValue for Padding<N> {
    const KIND: Kind = Kind::Padding(N);

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        match value {
            Value::Word(word) => match word.to_lowercase().as_str() {
                "valid" => Ok(Padding::Valid),
                "same" => Ok(Padding::Same),
                "full" => Ok(Padding::Full),
                "causal" if N == 1 => Ok(Padding::Causal),
                "causal" => Err(Refusal::new("only sequences have `causal` padding", "use `padding=same`")),
                _ => Err(Refusal {
                    unknown: Some((word.clone(), Self::KIND.words())),
                    ..Refusal::new(format!("unknown padding `{word}`"), "use `valid`, `same`, `full` or a number of cells")
                }),
            },
            Value::Int(_) => usize::from_value(value, name).map(|n| Padding::Explicit([[n; 2]; N])),
            Value::Tuple(values) if values.len() == N || (N == 1 && values.len() == 2) => {
                FromValue::from_value(value, name).map(Padding::Explicit)
            }
            other => Err(Refusal::new(
                format!("`{name}` takes `valid`, `same`, `full`, or cells for {N} axes, found `{other}`"),
                format!(
                    "use `same`, a number such as `1`, or `{}`",
                    match N {
                        1 => "(before, after)",
                        2 => "((top, bottom), (left, right))",
                        _ => "((front, back), (top, bottom), (left, right))",
                    }
                ),
            )),
        }
    }

    fn to_rust(&self) -> String {
        format!("Padding::{self:?}")
    }

    fn source(value: &Value, name: &str) -> Result<String, Refusal> {
        match value.has_constants() {
            true => <[[usize; 2]; N]>::source(value, name).map(|cells| format!("Padding::Explicit({cells})")),
            false => Self::from_value(value, name).map(|padding| padding.to_rust()),
        }
    }
}

impl<const N: usize> FromValue for [[usize; 2]; N] {
    const KIND: Kind = Kind::Cells(N);

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        let mut cells = [[0; 2]; N];
        match value {
            Value::Int(_) => cells = [[usize::from_value(value, name)?; 2]; N],
            // One axis may be given as `(before, after)`, without another pair of parentheses.
            Value::Tuple(values) if N == 1 && values.len() == 2 => cells = [<[usize; 2]>::from_value(value, name)?; N],
            Value::Tuple(values) if values.len() == N => {
                for (i, value) in values.iter().enumerate() {
                    cells[i] = <[usize; 2]>::from_value(value, name).map_err(|refusal| refusal.at(i))?;
                }
            }
            other => {
                let axes = if N == 1 { "axis" } else { "axes" };
                let example = Value::Tuple((0..N).map(|_| Value::Tuple(vec![Value::Int(1), Value::Int(2)])).collect());
                let example = if N == 1 { "(1, 2)".into() } else { example.to_string() };
                return Err(Refusal::new(
                    format!("`{name}` takes cells for {N} {axes}, found `{other}`"),
                    format!("use a number such as `1`, or cells before and after, as in `{example}`"),
                ));
            }
        }
        Ok(cells)
    }

    fn to_rust(&self) -> String {
        format!("{self:?}")
    }

    fn source(value: &Value, name: &str) -> Result<String, Refusal> {
        match value {
            Value::Constant(constant) => Ok(format!("[[{}; 2]; {N}]", constant.stand_in)),
            Value::Tuple(values) if N == 1 && values.len() == 2 => Ok(format!("[{}]", <[usize; 2]>::source(value, name)?)),
            Value::Tuple(values) if values.len() == N => Ok(format!("[{}]", elements::<[usize; 2]>(values, name)?.join(", "))),
            value => Self::from_value(value, name).map(|cells| cells.to_rust()),
        }
    }
}

impl FromValue for [f64; 2] {
    const KIND: Kind = Kind::Interval;

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        match value {
            Value::Tuple(values) => match values.as_slice() {
                [low, high] => Ok([
                    f64::from_value(low, name).map_err(|refusal| refusal.at(0))?,
                    f64::from_value(high, name).map_err(|refusal| refusal.at(1))?,
                ]),
                _ => Err(Refusal::new(
                    format!("`{name}` takes two numbers, found {}", values.len()),
                    format!("give the least and the largest, as in `{name}=(-0.1, 0.2)`"),
                )),
            },
            value => f64::from_value(value, name).map(|x| [-x, x]),
        }
    }

    fn to_rust(&self) -> String {
        format!("{self:?}")
    }

    fn source(value: &Value, name: &str) -> Result<String, Refusal> {
        match value {
            Value::Constant(Constant { stand_in, .. }) => Ok(format!("[-{stand_in}, {stand_in}]")),
            Value::Tuple(values) if values.len() == 2 => Ok(format!("[{}]", elements::<f64>(values, name)?.join(", "))),
            value => Self::from_value(value, name).map(|interval| interval.to_rust()),
        }
    }
}

impl FromValue for f64 {
    const KIND: Kind = Kind::Number;

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        match value {
            Value::Float(x) => Ok(*x),
            Value::Int(n) => Ok(*n as f64),
            other => Err(Refusal::new(format!("`{name}` takes a number, found `{other}`"), "use a number such as `0.5`")),
        }
    }

    fn to_rust(&self) -> String {
        format!("{self:?}")
    }

    fn source(value: &Value, name: &str) -> Result<String, Refusal> {
        number::<Self>(value, name)
    }
}

impl FromValue for bool {
    const KIND: Kind = Kind::Flag;

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        match value {
            Value::Bool(flag) => Ok(*flag),
            other => Err(Refusal::new(
                format!("`{name}` takes `true` or `false`, found `{other}`"),
                format!("use `{name}=true` or `{name}=false`"),
            )),
        }
    }

    fn to_rust(&self) -> String {
        self.to_string()
    }
}

/// The numbers that `word` is called with, by position or by keyword, and their defaults where none is given.
pub(crate) fn numbers<const N: usize>(
    word: &str,
    arguments: &[(Option<String>, Value)],
    table: [(&str, f64); N],
) -> Result<[f64; N], Refusal> {
    let names = table.map(|(name, _)| name);
    let mut numbers = table.map(|(_, default)| default);
    for ((number, name), value) in numbers.iter_mut().zip(names).zip(places(word, arguments, names)?) {
        if let Some(value) = value {
            *number = f64::from_value(value, name)?;
        }
    }
    Ok(numbers)
}

/// The values that `word` is called with, by position or by keyword: one place for each of `names`.
pub(crate) fn places<'a, const N: usize>(
    word: &str,
    arguments: &'a [(Option<String>, Value)],
    names: [&str; N],
) -> Result<[Option<&'a Value>; N], Refusal> {
    let mut places = [None; N];
    for (place, (keyword, value)) in arguments.iter().enumerate() {
        let place = match keyword {
            Some(keyword) => names.iter().position(|name| name == keyword).ok_or_else(|| {
                let verb = if N == 1 { "argument is" } else { "arguments are" };
                let help = format!("its {verb} `{}`", names.join("`, `"));
                Refusal::new(format!("`{word}` has no argument `{keyword}`"), help)
            })?,
            None if place >= N => {
                let numbers = if N == 1 { "number" } else { "numbers" };
                let message = format!("`{word}` takes {N} {numbers}, found {}", arguments.len());
                return Err(Refusal::new(message, "leave out the rest"));
            }
            None => place,
        };
        if places[place].replace(value).is_some() {
            return Err(Refusal::new(format!("`{}` is given twice", names[place]), "leave out one of them"));
        }
    }
    Ok(places)
}

/// The one of `words` that the class `name` of Keras or PyTorch is called by here, as `he_normal` is for `HeNormal`.
pub(crate) fn called<'a>(name: &str, words: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    words.iter().copied().find(|word| plain(word) == plain(name))
}

/// Declares an enum whose variants are words of the language, each with the aliases it answers to.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $noun:literal { $($variants:tt)* }) => {
        $crate::argument::words! { @$name, $(#[$doc])* $name, $noun { $($variants)* } }
    };
    (@$kind:ident $(($words:expr))?, $(#[$doc:meta])* $name:ident, $noun:literal {
        $( $(#[$variant_doc:meta])* $variant:ident $word:literal $(| $alias:literal)*, )*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[$variant_doc])* $variant, )* }

        impl $name {
            /// Every word of the language for one of these.
            pub const WORDS: &'static [&'static str] = &[$( $word, $($alias,)* )*];

            /// The word of the language for this one.
            pub const fn word(self) -> &'static str {
                match self { $( $name::$variant => $word, )* }
            }

            /// The one that answers to `word`.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $( $word $(| $alias)* => Some($name::$variant), )*
                    _ => None,
                }
            }
        }

        impl $crate::argument::FromValue for $name {
            const KIND: $crate::argument::Kind = $crate::argument::Kind::$kind $(($words))?;

            fn from_value(value: &$crate::argument::Value, name: &str) -> Result<Self, $crate::argument::Refusal> {
                let $crate::argument::Value::Word(word) = value else {
                    return Err($crate::argument::Refusal::not_a_word(value, name, $noun, Self::WORDS));
                };
                Self::from_word(word).ok_or_else(|| $crate::argument::Refusal::unknown_word(word, $noun, Self::WORDS))
            }

            fn to_rust(&self) -> String {
                format!("{}::{self:?}", stringify!($name))
            }
        }
    };
}
pub(crate) use words;

impl Refusal {
    pub(crate) fn not_a_word(value: &Value, name: &str, noun: &str, words: &[&str]) -> Self {
        let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let called = if let Value::Call(name, _) = value { called(name, words) } else { None };
        let help = match called {
            Some(word) => format!("write `{word}` alone"),
            None => format!("use a name such as `{}`", words[0]),
        };
        Self::new(format!("`{name}` takes {article} {noun}, found `{value}`"), help)
    }

    pub(crate) fn unknown_word(word: &str, noun: &str, words: &'static [&'static str]) -> Self {
        Self { element: None, message: format!("unknown {noun} `{word}`"), help: None, unknown: Some((word.into(), words)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(word: &str) -> Value {
        Value::Word(word.into())
    }

    #[test]
    fn sizes_are_one_for_all_axes_or_one_each() {
        assert_eq!(<[usize; 2]>::from_value(&Value::Int(3), "kernel_size"), Ok([3, 3]));
        let tuple = |sizes: &[i128]| Value::Tuple(sizes.iter().map(|n| Value::Int(*n)).collect());
        assert_eq!(<[usize; 2]>::from_value(&tuple(&[3, 5]), "kernel_size"), Ok([3, 5]));
        let refusal = <[usize; 2]>::from_value(&tuple(&[3, 3, 3]), "kernel_size").unwrap_err();
        assert_eq!(refusal.message, "`kernel_size` takes 2 sizes, found 3");
        let refusal = <[usize; 2]>::from_value(&tuple(&[3, -1]), "kernel_size").unwrap_err();
        assert_eq!((refusal.element, refusal.message.as_str()), (Some(1), "`kernel_size` cannot be negative, found -1"));
        assert!(usize::from_value(&Value::Int(u64::MAX.into()), "filters").is_err());
    }

    #[test]
    fn padding_has_words_numbers_and_pairs() {
        assert_eq!(Padding::<2>::from_value(&word("SAME"), "padding"), Ok(Padding::Same));
        assert_eq!(Padding::<2>::from_value(&Value::Int(1), "padding"), Ok(Padding::Explicit([[1, 1], [1, 1]])));
        let pairs = Value::Tuple(vec![Value::Tuple(vec![Value::Int(1), Value::Int(2)]), Value::Int(3)]);
        assert_eq!(Padding::<2>::from_value(&pairs, "padding"), Ok(Padding::Explicit([[1, 2], [3, 3]])));
        assert_eq!(Padding::<2>::from_value(&word("sam"), "padding").unwrap_err().unknown.unwrap().0, "sam");
    }

    #[test]
    fn a_sequence_has_causal_padding_and_one_pair() {
        assert_eq!(Padding::<1>::from_value(&word("causal"), "padding"), Ok(Padding::Causal));
        let refusal = Padding::<2>::from_value(&word("causal"), "padding").unwrap_err();
        assert_eq!(refusal.message, "only sequences have `causal` padding");
        let pair = Value::Tuple(vec![Value::Int(2), Value::Int(1)]);
        assert_eq!(Padding::<1>::from_value(&pair, "padding"), Ok(Padding::Explicit([[2, 1]])));
        assert_eq!(Padding::<1>::from_value(&Value::Tuple(vec![pair]), "padding"), Ok(Padding::Explicit([[2, 1]])));
    }

    #[test]
    fn cells_are_one_number_or_pairs() {
        let pair = Value::Tuple(vec![Value::Int(1), Value::Int(2)]);
        assert_eq!(<[[usize; 2]; 2]>::from_value(&Value::Int(3), "cropping"), Ok([[3, 3], [3, 3]]));
        assert_eq!(<[[usize; 2]; 2]>::from_value(&pair, "cropping"), Ok([[1, 1], [2, 2]]));
        assert_eq!(<[[usize; 2]; 1]>::from_value(&pair, "cropping"), Ok([[1, 2]]));
        assert_eq!(Padding::<1>::from_value(&pair, "padding"), Ok(Padding::Explicit([[1, 2]])));
        let pairs = Value::Tuple(vec![pair.clone(), Value::Int(0)]);
        assert_eq!(<[[usize; 2]; 2]>::from_value(&pairs, "cropping"), Ok([[1, 2], [0, 0]]));
        let refusal = <[[usize; 2]; 3]>::from_value(&pair, "cropping").unwrap_err();
        assert_eq!(refusal.message, "`cropping` takes cells for 3 axes, found `(1, 2)`");
        assert!(refusal.help.unwrap().ends_with("as in `((1, 2), (1, 2), (1, 2))`"));
    }

    #[test]
    fn an_interval_is_two_numbers_or_one_on_both_sides_of_0() {
        assert_eq!(<[f64; 2]>::from_value(&Value::Float(0.5), "factor"), Ok([-0.5, 0.5]));
        let pair = Value::Tuple(vec![Value::Int(0), Value::Float(0.5)]);
        assert_eq!(<[f64; 2]>::from_value(&pair, "factor"), Ok([0.0, 0.5]));
        assert_eq!([0.0, 0.5].to_rust(), "[0.0, 0.5]");
        assert!(<[f64; 2]>::from_value(&Value::Tuple(vec![]), "factor").is_err());
    }

    #[test]
    fn values_write_themselves_as_rust() {
        assert_eq!(Padding::<2>::Explicit([[1, 2], [3, 3]]).to_rust(), "Padding::Explicit([[1, 2], [3, 3]])");
        assert_eq!(Activation::Relu.to_rust(), "Activation::Relu");
        assert_eq!(Some([2usize, 2]).to_rust(), "Some([2, 2])");
        assert_eq!(Shape::of(&[Dim::Unknown, Dim::Known(3)]).to_rust(), "Shape::of(&[Dim::Unknown, Dim::Known(3)])");
        assert_eq!(0.2f64.to_rust(), "0.2");
    }
}
