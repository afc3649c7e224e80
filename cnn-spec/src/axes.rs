//! A list of axes, as arguments such as `shared_axes=(1, 2)` take it.

use crate::argument::{FromValue, Kind, Refusal, Value};
use crate::{At, Operand, Shape, ShapeError, Text};

/// Axes in Keras' numbering: 0 is the batch, 1 the first axis of an example, −1 the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axes {
    axes: [isize; Shape::MAX_RANK],
    len: usize,
}

impl Axes {
    /// No axes.
    pub const NONE: Self = Self::new([]);

    /// These axes.
    ///
    /// # Panics
    /// If there are more than [`Shape::MAX_RANK`].
    pub const fn new<const N: usize>(axes: [isize; N]) -> Self {
        let mut all = Self { axes: [0; Shape::MAX_RANK], len: N };
        let mut i = 0;
        while i < N {
            all.axes[i] = axes[i];
            i += 1;
        }
        all
    }

    /// The axes in the order given.
    pub const fn as_slice(&self) -> &[isize] {
        self.axes.split_at(self.len).0
    }

    /// Which axes of an example of `input` these are: `true` for each that is among them.
    ///
    /// # Errors
    /// If one is the batch, or is no axis of the input.
    pub const fn of(&self, argument: &'static str, input: &Operand) -> Result<[bool; Shape::MAX_RANK], ShapeError> {
        let mut is_among = [false; Shape::MAX_RANK];
        let mut i = 0;
        while i < self.len {
            match axis(At::Element(argument, i), self.axes[i], input) {
                Ok(axis) => is_among[axis] = true,
                Err(error) => return Err(error),
            }
            i += 1;
        }
        Ok(is_among)
    }
}

/// The place in an example's shape of an axis in Keras' numbering.
pub(crate) const fn axis(at: At, axis: isize, input: &Operand) -> Result<usize, ShapeError> {
    let rank = input.shape.rank() as isize;
    if axis >= 1 && axis <= rank {
        return Ok(axis as usize - 1);
    }
    if axis < 0 && axis >= -rank {
        return Ok((rank + axis) as usize);
    }
    let message = if axis == 0 || axis == -rank - 1 {
        Text::from("axis ").signed(axis as i64).and(" is the batch")
    } else {
        let text = Text::from("`").and(input.name).and("` has no axis ").signed(axis as i64);
        text.and(": it is ").shape(&input.shape)
    };
    let help = if rank == 1 {
        Text::from("use `-1` or `1`, its only axis")
    } else {
        Text::from("use `-1` for its last axis, or 1 to ").num(rank as usize)
    };
    Err(ShapeError::new(at, message).help(help))
}

impl FromValue for Axes {
    const KIND: Kind = Kind::Axes;

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        let values = match value {
            Value::Tuple(values) => values.as_slice(),
            other => std::slice::from_ref(other),
        };
        if values.len() > Shape::MAX_RANK {
            let message = format!("`{name}` takes at most {} axes, found {}", Shape::MAX_RANK, values.len());
            return Err(Refusal::new(message, format!("name each axis once, as in `{name}=(1, 2)`")));
        }
        let mut axes = Self { len: values.len(), ..Self::NONE };
        for (i, value) in values.iter().enumerate() {
            axes.axes[i] = isize::from_value(value, name).map_err(|refusal| refusal.at(i))?;
        }
        Ok(axes)
    }

    fn to_rust(&self) -> String {
        format!("Axes::new({:?})", self.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: Operand = Operand::new("x", Shape::new([28, 14, 3]));

    fn place(number: isize) -> Result<usize, ShapeError> {
        axis(At::Argument("axis"), number, &IMAGE)
    }

    #[test]
    fn count_from_the_batch_or_from_the_end() {
        assert_eq!([1, 2, 3, -1, -2, -3].map(|number| place(number).unwrap()), [0, 1, 2, 2, 1, 0]);
        assert_eq!(place(0).unwrap_err().message.as_str(), "axis 0 is the batch");
        assert_eq!(place(-4).unwrap_err().message.as_str(), "axis −4 is the batch");
        let error = place(4).unwrap_err();
        assert_eq!(error.message.as_str(), "`x` has no axis 4: it is 28×14×3");
        assert_eq!(error.help.as_str(), "use `-1` for its last axis, or 1 to 3");
        assert!(place(isize::MIN).is_err() && place(isize::MAX).is_err());
    }

    #[test]
    fn are_read_from_one_or_several() {
        let several = Value::Tuple(vec![Value::Int(1), Value::Int(-1)]);
        assert_eq!(Axes::from_value(&several, "axis"), Ok(Axes::new([1, -1])));
        assert_eq!(Axes::from_value(&Value::Int(2), "axis").unwrap().to_rust(), "Axes::new([2])");
        assert_eq!(Axes::new([1, -1]).of("axis", &IMAGE).unwrap(), [true, false, true, false, false, false]);
        assert!(Axes::from_value(&Value::Tuple(vec![Value::Int(1); 7]), "axis").is_err());
    }
}
