//! A layer of a user's own in a network: what its rule, which this crate does not know, has inferred.

use crate::activation::Activation;
use crate::{Argument, Checked, Inferred, Kind, Operand, Shape, ShapeError, rules};

/// The rule of a user's own layer, its arguments known.
pub type Rule = fn(&[Operand]) -> Result<Inferred, ShapeError>;

/// `Custom(MyLayer { … })`, applied to tensors of certain shapes.
#[derive(Clone, Copy, Debug)]
pub struct Custom {
    /// What its layer is called in summaries, such as `MyLayer`.
    pub name: &'static str,
    /// What follows from its arguments and those shapes.
    pub inferred: Inferred,
    /// What the same follows from, for shapes that are only known when the network runs.
    pub rule: Rule,
}

/// A rule cannot be compared; of one layer, the same follows from the same.
impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        (self.name, self.inferred) == (other.name, other.inferred)
    }
}

impl Custom {
    /// The layer's name in the language.
    pub const NAME: &'static str = "Custom";

    /// The one argument it takes: the layer.
    pub const ARGUMENTS: &'static [Argument] = &[Argument { name: "layer", aliases: &[], kind: Kind::Layer, default: None }];

    /// What follows from tensors of these shapes, which a constant cannot ask.
    ///
    /// # Errors
    /// If the layer's rule refuses them, or gives what no layer may.
    pub fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        match Checked::by_rule(self.name, (self.rule)(inputs)) {
            Checked::Broken(error) => Err(error),
            checked => Ok(checked.inferred_or_none()),
        }
    }
}

impl Checked {
    /// Tensors by these names as a rule takes them; `None` where something before one is broken.
    pub const fn operands<'a, const N: usize>(inputs: [(&'a str, Option<Shape>); N]) -> Option<[Operand<'a>; N]> {
        let mut operands = [Operand::new("", Shape::of(&[])); N];
        let mut i = 0;
        while i < N {
            operands[i] = match inputs[i] {
                (name, Some(shape)) => Operand::new(name, shape),
                _ => return None,
            };
            i += 1;
        }
        Some(operands)
    }

    /// What the rule of a user's layer called `layer` infers, held to what holds for every layer.
    pub const fn by_rule(layer: &str, inferred: Result<Inferred, ShapeError>) -> Self {
        let mut inferred = match inferred {
            Ok(inferred) => inferred,
            Err(error) => return Self::Broken(error),
        };
        // Only a layer of the language can leave out a closing `softmax` where a loss asks for logits.
        inferred.ends_in = Activation::Linear;
        match (rules::bounded(layer, &inferred.shape), inferred.constraints_fit()) {
            (Ok(()), Ok(())) => Self::Sound(inferred),
            (Err(error), _) | (_, Err(error)) => Self::Broken(error),
        }
    }

    /// What follows from it; of a broken layer, nothing.
    pub const fn inferred_or_none(&self) -> Inferred {
        match self {
            Self::Sound(inferred) => *inferred,
            _ => Inferred::shape(Shape::of(&[])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{At, Layer, Text};

    const IMAGE: Shape = Shape::new([8, 8, 3]);

    #[test]
    fn a_rule_is_held_to_what_holds_for_every_layer() {
        let sound = Checked::by_rule("Twice", Ok(Inferred::shape(IMAGE).ends_in(Activation::Softmax)));
        assert_eq!(sound.inferred_or_none(), Inferred::shape(IMAGE));
        let endless = Checked::by_rule("Endless", Ok(Inferred::shape(Shape::new([usize::MAX]))));
        assert!(endless.error().unwrap().message.as_str().starts_with("`Endless` gives "));
        let broken = Checked::by_rule("Broken", Err(ShapeError::new(At::Layer, Text::from("no"))));
        assert_eq!(broken.error().unwrap().message.as_str(), "no");
        assert!(Checked::operands([("a", Some(IMAGE)), ("b", broken.shape())]).is_none());
    }

    #[test]
    fn a_network_knows_what_its_rule_inferred() {
        const CUSTOM: Custom =
            Custom { name: "Same", inferred: Inferred::shape(IMAGE), rule: |inputs| Ok(Inferred::shape(inputs[0].shape)) };
        let layer = Layer::Custom(&CUSTOM);
        assert_eq!((layer.name(), layer.infer(&[]).unwrap().shape), ("Same", IMAGE));
        let other = Operand::new("x", Shape::new([5, 4, 3]));
        assert_eq!(CUSTOM.infer(&[other]).unwrap().shape, other.shape);
    }
}
