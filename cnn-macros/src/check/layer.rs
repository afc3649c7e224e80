//! The layer that a call names: looked up, its arguments read, what is wrong with them reported.

use super::{Checker, Held, Slot};
use crate::ast::Call;
use crate::bind::{Filled, bind, layer_instead};
use crate::custom;
use crate::graph::{Constants, Described};
use crate::names::snake;
use crate::report::Problem;
use crate::{common, suggest};
use cnn_spec::{self as spec, Layer};
use quote::ToTokens;

impl<'a> Checker<'a> {
    /// Whether `call` is that of another model: one declared here, or a name like none that is known.
    pub(super) fn is_model(&self, call: &Call) -> bool {
        let name = call.layer.to_string();
        let is_declared = self.models.iter().any(|model| model.name == call.layer);
        let is_like_one = name.starts_with(char::is_uppercase) && !suggest::is_like_a_layer(&name);
        let has_no_arguments = call.arguments.as_ref().is_some_and(|arguments| arguments.iter().all(common::is_common));
        Layer::arguments(&name).is_none() && (is_declared || (is_like_one && has_no_arguments))
    }

    /// The layer of `call` with its arguments, not yet applied.
    pub(super) fn hold(&mut self, call: &'a Call) -> Option<Held<'a>> {
        let kind = call.layer.to_string();
        let table = Layer::arguments(&kind).unwrap_or_default();
        if call.layer == *self.name {
            let problem = Problem::new(format!("model `{kind}` is made of itself"));
            self.errors.push(problem.help("declare what repeats as a block, and repeat it with a loop").at(&call.layer));
            return None;
        }
        let arguments = common::arguments(call, &self.scope.parameters, self.errors);
        let (common, arguments) = arguments.map_or((None, None), |(common, own)| (Some(common), Some(own)));
        let common = common.unwrap_or_default();
        let snake = match arguments.as_deref() {
            Some([own, ..]) if call.layer == spec::Custom::NAME => custom::automatic_name(&own.given),
            _ => Layer::snake_name_of(&kind).map_or_else(|| snake(&kind), str::to_string),
        };
        let name = self.names.add(self.scope.place, snake, common.name, call.layer.span());
        self.slots.push(Slot { name, kind: call.layer.clone() });
        let before = self.errors.len();
        let is_tensor = |name: &str| self.scope.is_tensor(name);
        let (filled, missing) = bind(call, &arguments?, table, is_tensor, &self.scope.parameters, self.errors);
        let layer = self.layer(call, table, &filled);
        if let Some(missing) = missing.filter(|_| self.errors.len() == before) {
            self.errors.push(missing);
        }
        let layer = layer.filter(|_| self.errors.len() == before)?;
        let frozen = common.frozen || self.scope.frozen;
        Some(Held { call, filled, layer, name, frozen, applied: None, is_used: false, unended: None })
    }

    /// The value of each argument in `table`, as far as it is given.
    pub(super) fn values(&self, table: &[spec::Argument], filled: &[Option<Filled>]) -> Vec<Option<spec::Value>> {
        let strict = |argument: &spec::Argument| (self.strict && argument.name == "strict").then_some(spec::Value::Bool(true));
        let value = |(argument, filled): (&spec::Argument, &Option<Filled>)| match filled {
            Some(filled) => Some(filled.value.clone()),
            None => strict(argument),
        };
        table.iter().zip(filled).map(value).collect()
    }

    /// The layer with its arguments, if the rule book takes their values.
    pub(super) fn layer(&mut self, call: &Call, table: &[spec::Argument], filled: &[Option<Filled>]) -> Option<Described> {
        let (kind, values) = (call.layer.to_string(), self.values(table, filled));
        if Layer::arguments(&kind).is_none() {
            return Some(Described::Model);
        }
        if call.layer == spec::Custom::NAME {
            let (_, layer) = filled.first()?.as_ref()?.constants.first()?;
            return Some(Described::Custom(custom::name(layer).unwrap_or(kind), layer.clone()));
        }
        let has_constants = values.iter().flatten().any(spec::Value::has_constants);
        let layer = match has_constants {
            false => Layer::from_values(&kind, &values).map(|layer| Described::Known(Box::new(layer))),
            true => Layer::sources(&kind, &values).map(|settings| {
                let constants = filled.iter().flatten().flat_map(|filled| filled.constants.clone());
                Described::Constants(settings, constants.collect::<Constants>())
            }),
        };
        match layer {
            Ok(layer) => Some(layer),
            Err(refusals) => {
                for (place, refusal) in refusals {
                    self.refused(call, &table[place], filled[place].as_ref(), refusal);
                }
                None
            }
        }
    }

    /// Reports that the rule book refuses what is given for `argument`.
    pub(super) fn refused(&mut self, call: &Call, argument: &spec::Argument, filled: Option<&Filled>, refusal: spec::Refusal) {
        let help = refusal.unknown.map(|(word, words)| suggest::word(&word, words)).or(refusal.help);
        let help = layer_after(argument, filled).or_else(|| features_first(call, argument, filled)).or(help);
        let at = filled.map_or_else(
            || call.layer.to_token_stream(),
            |filled| refusal.element.map_or(&filled.given.tokens, |element| filled.given.element(element)).clone(),
        );
        let sizes =
            filled.and_then(|filled| if let spec::Value::Tuple(sizes) = &filled.value { Some(sizes.len()) } else { None });
        let note = match (argument.kind, sizes) {
            (spec::Kind::Sizes(axes), Some(sizes)) => sibling(&call.layer.to_string(), axes, sizes),
            _ => None,
        };
        let note = note.map_or_else(String::new, |layer| format!("`{layer}` is the layer of {} axes", sizes.unwrap_or_default()));
        self.errors.push(Problem::new(refusal.message).note(note).help(help.unwrap_or_default()).at(at));
    }
}

/// What to do about `activation=threshold` or `activation=LeakyReLU(0.1)`: what takes numbers is a layer here.
fn layer_after(argument: &spec::Argument, filled: Option<&Filled>) -> Option<String> {
    match &filled.filter(|_| argument.kind == spec::Kind::Activation)?.value {
        spec::Value::Word(name) => layer_instead(name),
        call @ spec::Value::Call(name, arguments) if !arguments.is_empty() => {
            suggest::here(name).filter(|here| here == name).map(|_| format!("it is a layer: apply it to the output, `{call}(…)`"))
        }
        _ => None,
    }
}

/// What to do about `Linear(512, 10)`, which in PyTorch begins with the size of the input.
pub fn features_first(call: &Call, argument: &spec::Argument, filled: Option<&Filled>) -> Option<String> {
    let is_second = Layer::arguments(&call.layer.to_string())?.get(1).is_some_and(|second| second.name == argument.name);
    let is_swapped = is_second && argument.kind == spec::Kind::Activation && matches!(filled?.value, spec::Value::Int(_));
    match call.arguments.as_deref()? {
        [first, second, ..] if is_swapped && first.keyword.is_none() && second.keyword.is_none() => {
            let call = format!("{}({})", call.layer, second.given.tokens);
            Some(format!("leave out the size of the input, which follows from the tensor: `{call}`"))
        }
        _ => None,
    }
}

/// The layer like `kind` for so many axes, as `Conv3D` is like `Conv2D`.
pub fn sibling(kind: &str, axes: usize, sizes: usize) -> Option<&'static str> {
    let name = kind.replace(&format!("{axes}D"), &format!("{sizes}D"));
    Layer::NAMES.iter().copied().find(|known| *known == name && name != kind)
}
