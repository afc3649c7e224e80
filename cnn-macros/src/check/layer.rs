//! The layer that a call names: looked up, its arguments read, what is wrong with them reported.

use super::{Checker, Held, Read, Slot};
use crate::ast::{Argument, Call, Written};
use crate::bind::{Filled, bind, layer_instead};
use crate::custom;
use crate::graph::{self, Constants, Described};
use crate::names::snake;
use crate::report::Problem;
use crate::{common, suggest};
use cnn_spec::{self as spec, Layer};
use quote::ToTokens;
use std::fmt::Write;

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
        let read = self.read(call, &arguments?)?;
        let frozen = common.frozen || self.scope.frozen;
        Some(Held { call, read, name, frozen, applied: None, is_used: false, unended: None })
    }

    /// What a call says with these arguments, which in blocks and loops is read once.
    fn read(&mut self, call: &'a Call, arguments: &[Argument]) -> Option<Read> {
        let key = key(arguments);
        let earlier = self.read.get(&std::ptr::from_ref(call)).map_or(&[][..], Vec::as_slice);
        if let Some((_, read)) = earlier.iter().find(|(earlier, _)| key.as_ref() == Some(earlier)) {
            return Some(read.clone());
        }
        let read = self.read_anew(call, arguments)?;
        if let (Some(key), Described::Known(_)) = (key, &read.layer) {
            self.read.entry(std::ptr::from_ref(call)).or_default().push((key, read.clone()));
        }
        Some(read)
    }

    fn read_anew(&mut self, call: &'a Call, arguments: &[Argument]) -> Option<Read> {
        let table = Layer::arguments(&call.layer.to_string()).unwrap_or_default();
        let before = self.errors.len();
        let is_tensor = |name: &str| self.scope.is_tensor(name);
        let (filled, missing) = bind(call, arguments, table, is_tensor, &self.scope.parameters, self.errors);
        let layer = self.layer(call, table, &filled);
        if let Some(missing) = missing.filter(|_| self.errors.len() == before) {
            self.errors.push(missing);
        }
        let layer = layer.filter(|_| self.errors.len() == before)?;
        let given = table.iter().zip(&filled).filter_map(|(argument, filled)| Some((argument.name, filled.as_ref()?)));
        let place = |(name, filled): (_, &Filled)| graph::Argument { name, label: filled.label, value: filled.span() };
        Some(Read { arguments: given.map(place).collect(), filled: filled.into(), layer })
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

/// The arguments of a call as text, different for different values; `None` if the compiler has a part in them.
fn key(arguments: &[Argument]) -> Option<String> {
    let mut key = String::new();
    for Argument { keyword, given } in arguments {
        key.extend([keyword.as_ref().map(ToString::to_string).as_deref().unwrap_or_default(), "="]);
        add_value(&mut key, &given.written)?;
    }
    Some(key)
}

fn add_value(key: &mut String, written: &Written) -> Option<()> {
    match written {
        Written::Value(value) => write!(key, "{value:?},").ok(),
        Written::Name(name) => write!(key, "{name},").ok(),
        Written::Absent => write!(key, "None,").ok(),
        Written::Tuple(elements) => {
            key.push('(');
            elements.iter().try_for_each(|element| add_value(key, &element.written))?;
            write!(key, "),").ok()
        }
        Written::Expression(_) => None,
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
