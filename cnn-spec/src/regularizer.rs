//! Regularizers: what a layer's weights add to the training loss, so that they stay small.

use crate::argument::{FromValue, Kind, Refusal, Value, numbers};

/// `l1·Σ|w| + l2·Σw²` of a parameter's values `w`, which training adds to the loss, as Keras' `L1`, `L2` and `L1L2`.
///
/// In a model it is written `L2(0.001)`, `L1(0.001)`, `L1L2(l1=0.001, l2=0.01)`, or as the words `l1` and `l2`, which stand
/// for a factor of 0.01.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regularizer {
    /// The factor of the sum of magnitudes.
    pub l1: f64,
    /// The factor of the sum of squares.
    pub l2: f64,
}

impl Regularizer {
    /// The words for it, each with its default factor.
    pub const WORDS: &'static [&'static str] = &["l1", "l2"];

    /// The names it is called by when its factors are given.
    const CALLS: &'static [&'static str] = &["L1", "L2", "L1L2"];

    /// Keras' factor where none is given.
    const FACTOR: f64 = 0.01;

    /// `l1·Σ|w| + l2·Σw²`.
    pub const fn new(l1: f64, l2: f64) -> Self {
        Self { l1, l2 }
    }
}

impl FromValue for Regularizer {
    const KIND: Kind = Kind::Regularizer;

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        let (word, arguments) = match value {
            Value::Word(word) => (word, [].as_slice()),
            Value::Call(word, arguments) => (word, arguments.as_slice()),
            other => {
                let help = format!("write `{name}=L2({other})`");
                let help = if matches!(other, Value::Float(_)) { help } else { format!("write `{name}=L2(0.001)`") };
                return Err(Refusal::new(format!("`{name}` takes a regularizer, found `{other}`"), help));
            }
        };
        let regularizer = match word.to_lowercase().as_str() {
            "l1" => numbers(word, arguments, [("l1", Self::FACTOR)]).map(|[l1]| Self::new(l1, 0.0))?,
            "l2" => numbers(word, arguments, [("l2", Self::FACTOR)]).map(|[l2]| Self::new(0.0, l2))?,
            "l1l2" | "l1_l2" if arguments.is_empty() => {
                let help = "give its factors, as in `L1L2(l1=0.001, l2=0.01)`";
                return Err(Refusal::new(format!("`{word}` without factors changes nothing"), help));
            }
            "l1l2" | "l1_l2" => numbers(word, arguments, [("l1", 0.0), ("l2", 0.0)]).map(|[l1, l2]| Self::new(l1, l2))?,
            _ if arguments.is_empty() => return Err(Refusal::unknown_word(word, "regularizer", Self::WORDS)),
            _ => return Err(Refusal::unknown_word(word, "regularizer", Self::CALLS)),
        };
        if regularizer.l1 < 0.0 || regularizer.l2 < 0.0 {
            let message = format!("the factor of a regularizer cannot be negative, found `{value}`");
            return Err(Refusal::new(message, "use a small positive number, as in `L2(0.001)`"));
        }
        Ok(regularizer)
    }

    fn to_rust(&self) -> String {
        format!("Regularizer::new({:?}, {:?})", self.l1, self.l2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Layer, Operand, Parameter, Shape};

    fn read(value: Value) -> Result<Regularizer, Refusal> {
        Regularizer::from_value(&value, "kernel_regularizer")
    }

    fn call(name: &str, arguments: &[(Option<&str>, f64)]) -> Value {
        let argument = |(keyword, x): &(Option<&str>, f64)| (keyword.map(String::from), Value::Float(*x));
        Value::Call(name.into(), arguments.iter().map(argument).collect())
    }

    #[test]
    fn are_words_and_calls() {
        assert_eq!(read(Value::Word("l2".into())), Ok(Regularizer::new(0.0, 0.01)));
        assert_eq!(read(call("L2", &[(None, 0.001)])), Ok(Regularizer::new(0.0, 0.001)));
        assert_eq!(read(call("L1", &[(Some("l1"), 0.5)])), Ok(Regularizer::new(0.5, 0.0)));
        assert_eq!(read(call("L1L2", &[(Some("l2"), 0.5)])), Ok(Regularizer::new(0.0, 0.5)));
        assert_eq!(read(call("L1L2", &[(None, 0.1), (None, 0.2)])), Ok(Regularizer::new(0.1, 0.2)));
        assert_eq!(Regularizer::new(0.0, 0.001).to_rust(), "Regularizer::new(0.0, 0.001)");
    }

    #[test]
    fn refuse_what_they_are_not() {
        let message = |value| read(value).unwrap_err().message;
        assert_eq!(message(Value::Float(0.1)), "`kernel_regularizer` takes a regularizer, found `0.1`");
        assert_eq!(message(call("L3", &[(None, 0.1)])), "unknown regularizer `L3`");
        assert_eq!(message(call("L2", &[(Some("l1"), 0.1)])), "`L2` has no argument `l1`");
        assert_eq!(message(call("L2", &[(None, 0.1), (None, 0.1)])), "`L2` takes 1 number, found 2");
        assert_eq!(message(call("L2", &[(None, 0.1), (Some("l2"), 0.1)])), "`l2` is given twice");
        assert_eq!(message(Value::Word("l1_l2".into())), "`l1_l2` without factors changes nothing");
        assert_eq!(message(call("L2", &[(None, -0.1)])), "the factor of a regularizer cannot be negative, found `L2(-0.1)`");
    }

    /// The parameters of the layer `name`, of which `argument` alone has a value.
    fn with(name: &str, argument: &str, given: Value) -> Vec<Parameter> {
        let value = |table: &crate::Argument| match (table.name == argument, table.default, table.kind) {
            (true, ..) => Some(given.clone()),
            (_, Some(_), _) if table.name == "groups" => Some(Value::Int(1)),
            (_, Some(_), _) => None,
            _ => Some(Value::Int(2)),
        };
        let values: Vec<_> = Layer::arguments(name).unwrap().iter().map(value).collect();
        let layer = Layer::from_values(name, &values).unwrap();
        let shapes = [Shape::new([9, 4]), Shape::new([9, 9, 4]), Shape::new([9, 9, 9, 4]), Shape::new([4])];
        let inferred = shapes.iter().find_map(|shape| layer.infer(&[Operand::new("x", *shape)]).ok());
        inferred.unwrap().parameters.as_slice().to_vec()
    }

    #[test]
    fn every_initializer_has_one_and_a_constraint_beside_it_that_reach_its_parameter() {
        let mut found = 0;
        for name in Layer::NAMES {
            let arguments = Layer::arguments(name).unwrap();
            let trained = arguments.iter().filter(|argument| argument.kind == Kind::Initializer);
            for initializer in trained.filter(|argument| !argument.name.starts_with("moving_")) {
                let argument = initializer.name.replace("_initializer", "_regularizer");
                assert!(arguments.iter().any(|other| other.name == argument), "`{name}` has no `{argument}`");
                let parameters = with(name, &argument, call("L1L2", &[(None, 0.25), (None, 0.5)]));
                let place = parameters.iter().position(|parameter| parameter.regularizer.is_some()).unwrap();
                let reached: Vec<_> = parameters.iter().filter_map(|parameter| parameter.regularizer).collect();
                assert_eq!(reached, [Regularizer::new(0.25, 0.5)], "`{argument}` of `{name}`");

                let argument = initializer.name.replace("_initializer", "_constraint");
                assert!(arguments.iter().any(|other| other.name == argument), "`{name}` has no `{argument}`");
                let parameters = with(name, &argument, Value::Word("non_neg".into()));
                let reached: Vec<_> = parameters.iter().map(|parameter| parameter.constraint.is_some()).collect();
                let expected: Vec<_> = (0..parameters.len()).map(|other| other == place).collect();
                assert_eq!(reached, expected, "`{argument}` of `{name}`");
                assert_eq!(parameters[place].constraint_argument, argument, "`{name}`");
                found += 1;
            }
        }
        assert!(found >= 29, "{found}");
    }
}
