//! Arguments that hold as many values as there are: sizes, one of which may be left open, and numbers.

use crate::argument::{FromValue, Kind, Refusal, Value, dims};
use crate::{Dim, Shape};

/// The sizes a tensor is to have, one of which may be left to follow from the others: `-1` in a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target(Shape);

impl Target {
    /// These sizes, the open one being [`Dim::Unknown`].
    ///
    /// # Panics
    /// If there are more than [`Shape::MAX_RANK`].
    pub const fn of(dims: &[Dim]) -> Self {
        Self(Shape::of(dims))
    }

    /// The sizes, the open one being [`Dim::Unknown`].
    pub const fn shape(&self) -> &Shape {
        &self.0
    }
}

impl FromValue for Target {
    const KIND: Kind = Kind::Target;

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        let values = values(value, name, Shape::MAX_RANK, "give the sizes without the batch, as in `7, 7, 64`")?;
        let dim = |(i, value): (usize, &Value)| match value {
            Value::Int(-1) | Value::Unknown => Ok(Dim::Unknown),
            value => usize::from_value(value, name).map(Dim::Known).map_err(|refusal| refusal.at(i)),
        };
        Ok(Self::of(&values.iter().enumerate().map(dim).collect::<Result<Vec<_>, _>>()?))
    }

    fn to_rust(&self) -> String {
        let dim = |dim: &Dim| format!("Dim::{dim:?}");
        format!("Target::of(&[{}])", self.0.dims().iter().map(dim).collect::<Vec<_>>().join(", "))
    }

    fn source(value: &Value, name: &str) -> Result<String, Refusal> {
        if !value.has_constants() {
            return Self::from_value(value, name).map(|target| target.to_rust());
        }
        let values = values(value, name, Shape::MAX_RANK, "give the sizes without the batch, as in `7, 7, 64`")?;
        let is_open = |value: &Value| matches!(value, Value::Int(-1) | Value::Unknown);
        Ok(format!("Target::of({})", dims(values, name, is_open)?))
    }
}

/// One number or several, such as one for each channel, in a row or nested along several axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Numbers {
    numbers: [f64; Numbers::MAX],
    len: usize,
    sizes: [usize; Shape::MAX_RANK],
    rank: usize,
}

impl Numbers {
    /// The most numbers there can be.
    pub const MAX: usize = 16;

    /// These numbers.
    ///
    /// # Panics
    /// If there are more than [`Numbers::MAX`].
    pub const fn of(numbers: &[f64]) -> Self {
        Self::nested(numbers, &[numbers.len()])
    }

    /// These numbers, nested in parentheses along axes of these sizes, the last axis innermost.
    ///
    /// # Panics
    /// If there are more than [`Numbers::MAX`], or other than the sizes say.
    pub const fn nested(numbers: &[f64], sizes: &[usize]) -> Self {
        let mut list = Self { numbers: [0.0; Self::MAX], len: numbers.len(), sizes: [1; Shape::MAX_RANK], rank: sizes.len() };
        let (mut i, mut count) = (0, 1);
        while i < sizes.len() {
            list.sizes[i] = sizes[i];
            count *= sizes[i];
            i += 1;
        }
        assert!(count == numbers.len(), "as many numbers as the sizes say");
        let mut i = 0;
        while i < numbers.len() {
            list.numbers[i] = numbers[i];
            i += 1;
        }
        list
    }

    /// The sizes of the axes along which the numbers are nested; one of them if they are in a row.
    pub const fn sizes(&self) -> &[usize] {
        self.sizes.split_at(self.rank).0
    }

    /// The numbers in order.
    pub const fn as_slice(&self) -> &[f64] {
        self.numbers.split_at(self.len).0
    }
}

impl FromValue for Numbers {
    const KIND: Kind = Kind::Numbers;

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        let Flattened { leaves, sizes } = flattened(value, name)?;
        let number = |(i, value)| f64::from_value(value, name).map_err(|refusal: Refusal| refusal.at(i));
        Ok(Self::nested(&leaves.into_iter().map(number).collect::<Result<Vec<_>, _>>()?, &sizes))
    }

    fn to_rust(&self) -> String {
        let numbers: Vec<String> = self.as_slice().iter().map(FromValue::to_rust).collect();
        rust(&numbers, self.sizes())
    }

    fn source(value: &Value, name: &str) -> Result<String, Refusal> {
        let Flattened { leaves, sizes } = flattened(value, name)?;
        let number = |(i, value)| f64::source(value, name).map_err(|refusal: Refusal| refusal.at(i));
        Ok(rust(&leaves.into_iter().map(number).collect::<Result<Vec<_>, _>>()?, &sizes))
    }
}

fn rust(numbers: &[String], sizes: &[usize]) -> String {
    match sizes {
        [_] => format!("Numbers::of(&[{}])", numbers.join(", ")),
        sizes => format!("Numbers::nested(&[{}], &{sizes:?})", numbers.join(", ")),
    }
}

/// Values that were nested in tuples.
struct Flattened<'a> {
    /// Those that are no tuples, the last axis innermost, each with the element of the outermost tuple that it is in.
    leaves: Vec<(usize, &'a Value)>,
    /// The sizes of the axes along which they are nested.
    sizes: Vec<usize>,
}

fn flattened<'a>(value: &'a Value, name: &str) -> Result<Flattened<'a>, Refusal> {
    const HELP: &str = "give one number, or one for each channel, as in `(0.5, 0.4, 0.3)`";
    let elements = values(value, name, Numbers::MAX, HELP)?;
    let (mut level, mut sizes): (Vec<(usize, &Value)>, _) = (elements.iter().enumerate().collect(), vec![elements.len()]);
    while let Some(length) =
        level.iter().find_map(|(_, value)| if let Value::Tuple(inner) = value { Some(inner.len()) } else { None })
    {
        let mut inner = Vec::new();
        for (i, value) in &level {
            let Value::Tuple(values) = value else { return Err(ragged(name).at(*i)) };
            if values.len() != length {
                return Err(ragged(name).at(*i));
            }
            inner.extend(values.iter().map(|value| (*i, value)));
        }
        if inner.is_empty() || inner.len() > Numbers::MAX || sizes.len() == Shape::MAX_RANK {
            return Err(Refusal::new(format!("`{name}` takes 1 to {} values, found {}", Numbers::MAX, inner.len()), HELP));
        }
        sizes.push(length);
        level = inner;
    }
    Ok(Flattened { leaves: level, sizes })
}

fn ragged(name: &str) -> Refusal {
    let help = "give each pair of parentheses inside as many numbers";
    Refusal::new(format!("the numbers of `{name}` are nested unevenly"), help)
}

/// The values of a tuple, or the one value there is; at least one and at most so many.
fn values<'a>(value: &'a Value, name: &str, most: usize, help: &str) -> Result<&'a [Value], Refusal> {
    let values = match value {
        Value::Tuple(values) => values.as_slice(),
        other => std::slice::from_ref(other),
    };
    if values.is_empty() || values.len() > most {
        return Err(Refusal::new(format!("`{name}` takes 1 to {most} values, found {}", values.len()), help));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(values: &[i128]) -> Value {
        Value::Tuple(values.iter().map(|n| Value::Int(*n)).collect())
    }

    #[test]
    fn one_size_of_a_target_may_be_open() {
        let target = Target::from_value(&ints(&[7, -1]), "target_shape").unwrap();
        assert_eq!(target, Target::of(&[Dim::Known(7), Dim::Unknown]));
        assert_eq!(target.to_rust(), "Target::of(&[Dim::Known(7), Dim::Unknown])");
        let refusal = Target::from_value(&ints(&[7, -2]), "target_shape").unwrap_err();
        assert_eq!((refusal.element, refusal.message.as_str()), (Some(1), "`target_shape` cannot be negative, found -2"));
        assert!(Target::from_value(&ints(&[]), "target_shape").is_err());
    }

    #[test]
    fn numbers_may_be_nested_evenly() {
        let nested = |lists: &[&[i128]]| Value::Tuple(lists.iter().map(|list| ints(list)).collect());
        let numbers = Numbers::from_value(&nested(&[&[1, 2, 3], &[4, 5, 6]]), "mean").unwrap();
        assert_eq!((numbers.as_slice(), numbers.sizes()), (&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0][..], &[2, 3][..]));
        assert_eq!(numbers.to_rust(), "Numbers::nested(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])");
        assert_eq!(Numbers::source(&nested(&[&[1], &[2]]), "mean").unwrap(), "Numbers::nested(&[1.0, 2.0], &[2, 1])");
        let refusal = Numbers::from_value(&nested(&[&[1, 2], &[3]]), "mean").unwrap_err();
        assert_eq!((refusal.element, refusal.message.as_str()), (Some(1), "the numbers of `mean` are nested unevenly"));
        let mixed = Value::Tuple(vec![Value::Int(1), ints(&[2])]);
        assert_eq!(Numbers::from_value(&mixed, "mean").unwrap_err().element, Some(0));
        assert!(Numbers::from_value(&nested(&[&[], &[]]), "mean").is_err());
        assert!(Numbers::from_value(&nested(&[&[1; 9], &[1; 9]]), "mean").is_err());
    }

    #[test]
    fn lists_write_themselves_as_rust() {
        assert_eq!(Numbers::from_value(&Value::Float(0.5), "mean").unwrap().to_rust(), "Numbers::of(&[0.5])");
        assert_eq!(Numbers::from_value(&ints(&[0, 1]), "mean").unwrap().to_rust(), "Numbers::of(&[0.0, 1.0])");
        assert!(Numbers::from_value(&ints(&[1; 17]), "mean").is_err());
    }
}
