//! The arguments of a call, matched against the table of the layer it calls.

use crate::ast::{Argument, Call, Given, Written};
use crate::common::COMMON;
use crate::custom;
use crate::evaluate::{Parameters, constant_called, evaluate, is_in_capitals, misspelled};
use crate::graph::Constants;
use crate::offer::Offer;
use crate::report::{Errors, Mistake, Problem, Result, code, spaced};
use crate::suggest;
use cnn_spec as spec;
use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use spec::{Constant, FromValue, Kind, Shape, Value};
use syn::{Expr, ExprField, Member};

/// One argument of a layer as a call gives it.
#[derive(Clone)]
pub struct Filled {
    /// The constants in the value.
    pub constants: Constants,
    /// The value as the rule book reads it.
    pub value: Value,
    /// What was written.
    pub given: Given,
    /// The token that says which argument it is: its keyword, or the value itself.
    pub label: Span,
}

impl Filled {
    /// The first token of the value.
    pub fn span(&self) -> Span {
        first_span(&self.given.tokens)
    }
}

/// Matches the `arguments` of `call` against `table`: one place for each, `None` where none was given.
///
/// With it comes what to say of those that are missing, if nothing else is wrong. `is_tensor` says which names are bound to
/// tensors, and `parameters` which stand for values, for a better error.
pub fn bind(
    call: &Call,
    arguments: &[Argument],
    table: &'static [spec::Argument],
    is_tensor: impl Fn(&str) -> bool,
    parameters: &Parameters,
    errors: &mut Errors,
) -> (Vec<Option<Filled>>, Option<Mistake>) {
    let mut binder = Binder { call, table, places: vec![None; table.len()], rest: Vec::new(), keyword: false };
    for argument in arguments {
        Offer::in_argument(argument, table, parameters).into_iter().for_each(|offer| errors.offer(offer));
        if let Err(error) = binder.place(argument, &is_tensor) {
            errors.push(error);
        }
    }
    binder.close();
    let filled =
        |(place, argument): (Option<Place>, &spec::Argument)| place.and_then(|place| fill(place, argument, parameters, errors));
    let filled = binder.places.clone().into_iter().zip(table).map(filled).collect();
    (filled, binder.all_required().err())
}

#[derive(Clone)]
struct Place {
    given: Given,
    label: Span,
}

struct Binder<'a> {
    call: &'a Call,
    table: &'static [spec::Argument],
    places: Vec<Option<Place>>,
    /// The positional values of an argument that takes all of them.
    rest: Vec<Given>,
    /// Whether a keyword has been seen, after which only words may do without one.
    keyword: bool,
}

impl Binder<'_> {
    fn place(&mut self, argument: &Argument, is_tensor: impl Fn(&str) -> bool) -> Result<()> {
        match &argument.keyword {
            Some(keyword) => {
                self.keyword = true;
                self.by_keyword(keyword, &argument.given)
            }
            None => self.by_position(&argument.given, is_tensor),
        }
    }

    fn by_keyword(&mut self, keyword: &syn::Ident, given: &Given) -> Result<()> {
        let name = keyword.to_string();
        let Some(index) = self.table.iter().position(|argument| argument.is_called(&name)) else {
            let known: Vec<&str> = self.table.iter().chain(&COMMON).map(|argument| argument.name).collect();
            let aliases: Vec<&str> = self.table.iter().flat_map(|argument| argument.aliases.iter().copied()).collect();
            let problem = Problem::new(format!("`{}` has no argument `{name}`", self.call.layer));
            return Err(problem.help(suggest::argument(&name, &known, &aliases)).at(keyword));
        };
        self.put(index, given, keyword)
    }

    fn by_position(&mut self, given: &Given, is_tensor: impl Fn(&str) -> bool) -> Result<()> {
        if let Some(word) = given.word().filter(|word| word.parse::<f64>().is_err()) {
            if let Some(index) = self.table.iter().position(|argument| argument.takes_bare(word)) {
                let switched_on = Given { written: Written::Value(Value::Bool(true)), ..given.clone() };
                let given = if self.table[index].kind == Kind::Flag { &switched_on } else { given };
                return self.put(index, given, &given.tokens);
            }
            if is_tensor(word) {
                let layer = &self.call.layer;
                let arguments = if self.table.is_empty() { "" } else { "…" };
                let problem = Problem::new(format!("`{word}` is a tensor, not an argument of `{layer}`"));
                let help = format!("apply the layer to it in a second pair of parentheses: `{layer}({arguments})({word})`");
                return Err(problem.help(help).at(&given.tokens));
            }
            if let Some(argument) = self.table.iter().find(|argument| argument.is_called(word)) {
                let help = format!("give it one: `{word}={}`", example(argument.kind));
                return Err(Problem::new(format!("`{word}` has no value")).help(help).at(&given.tokens));
            }
            let is_next = self.next().is_some_and(|index| self.table[index].kind.words().contains(&word));
            if let Some(problem) = self.stray(word, given).filter(|_| !is_next) {
                return Err(problem.at(&given.tokens));
            }
        }
        let Some(index) = self.next() else {
            return Err(self.too_many().at(&given.tokens));
        };
        if self.keyword {
            let problem = Problem::new("a value without a keyword stands after one with a keyword");
            return Err(problem.help(format!("say what it is, as in `{}=…`", self.table[index].name)).at(&given.tokens));
        }
        if self.takes_the_rest(index) {
            self.rest.push(given.clone());
            return Ok(());
        }
        self.put(index, given, &given.tokens)
    }

    /// Whether every positional value that is left belongs to the `index`-th argument.
    fn takes_the_rest(&self, index: usize) -> bool {
        let Self { table, .. } = self;
        table[index].kind.takes_the_rest() || (table[index].kind == Kind::Axes && table.len() == 1)
    }

    /// The first argument that has no value yet.
    fn next(&self) -> Option<usize> {
        self.places.iter().position(Option::is_none)
    }

    fn put(&mut self, index: usize, given: &Given, label: impl ToTokens) -> Result<()> {
        let label = label.to_token_stream();
        if self.places[index].is_some() || (self.takes_the_rest(index) && !self.rest.is_empty()) {
            let spec::Argument { name, aliases, .. } = self.table[index];
            let names: Vec<&str> = [name].into_iter().chain(aliases.iter().copied()).collect();
            let note = if aliases.is_empty() { String::new() } else { format!("{} are one argument", suggest::quoted(&names)) };
            return Err(Problem::new(format!("`{name}` is given twice")).note(note).help("leave out one of them").at(label));
        }
        self.places[index] = Some(Place { given: given.clone(), label: first_span(&label) });
        Ok(())
    }

    /// What is wrong with a word that no argument takes, unless it may be a size with a name.
    fn stray(&self, word: &str, given: &Given) -> Option<Problem> {
        let words: Vec<&str> = self.table.iter().flat_map(bare_words).collect();
        let is_near = suggest::nearest(word, words.iter().copied()).is_some();
        let next = self.next().map(|index| self.table[index].kind);
        if next == Some(Kind::Layer) {
            return None;
        }
        let may_be_size = next.is_some_and(takes_numbers);
        if matches!(given.written, Written::Name(_)) && may_be_size && !is_near {
            return None;
        }
        let problem = Problem::new(format!("unknown word `{word}`"));
        let takes_activation = self.table.iter().any(|argument| argument.kind == Kind::Activation);
        if let Some(help) = layer_instead(word).filter(|_| takes_activation) {
            return Some(problem.help(help));
        }
        Some(if words.is_empty() { problem.note(self.signature()) } else { problem.help(suggest::word(word, &words)) })
    }

    fn too_many(&self) -> Problem {
        let layer = &self.call.layer;
        match self.table.len() {
            0 => Problem::new(format!("`{layer}` takes no arguments")).help(format!("write `{layer}()`")),
            _ => Problem::new(format!("`{layer}` takes no further argument")).note(self.signature()).help("leave it out"),
        }
    }

    /// Puts the positional values of an argument that takes all of them in its place.
    fn close(&mut self) {
        let Some(index) = (0..self.table.len()).find(|index| self.takes_the_rest(*index)) else {
            return;
        };
        let given = match self.rest.as_slice() {
            [] => return,
            [tuple @ Given { written: Written::Tuple(_), .. }] => tuple.clone(),
            rest => Given { tokens: comma_separated(rest), written: Written::Tuple(rest.to_vec()) },
        };
        self.places[index] = Some(Place { label: first_span(&given.tokens), given });
    }

    fn all_required(&self) -> Result<()> {
        let is_absent = |place: &Option<Place>| place.as_ref().is_none_or(|place| matches!(place.given.written, Written::Absent));
        let is_missing = |(argument, place): &(&spec::Argument, &Option<Place>)| argument.default.is_none() && is_absent(place);
        let missing: Vec<&spec::Argument> =
            self.table.iter().zip(&self.places).filter(is_missing).map(|(argument, _)| argument).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let verb = if missing.len() == 1 { "is" } else { "are" };
        let names: Vec<&str> = missing.iter().map(|argument| argument.name).collect();
        let examples: Vec<String> =
            missing.iter().map(|argument| format!("{}={}", argument.name, example(argument.kind))).collect();
        let problem = Problem::new(format!("{} of `{}` {verb} missing", suggest::quoted(&names), self.call.layer));
        let help = format!("add {}, with or without the keyword", suggest::quoted(&examples));
        Err(problem.note(self.signature()).help(help).at(&self.call.parentheses))
    }

    /// How the layer is called: what it must be given, and what it may be.
    fn signature(&self) -> String {
        let names = |is_required: bool| -> Vec<&str> {
            let arguments = self.table.iter().filter(|argument| argument.default.is_none() == is_required);
            arguments.map(|argument| argument.name).collect()
        };
        let (call, optional) = (format!("`{}({})`", self.call.layer, names(true).join(", ")), names(false));
        match optional.is_empty() {
            true => format!("the call is {call}"),
            false => format!("{call} also takes {}", suggest::quoted(&optional)),
        }
    }
}

/// What to do where `name` is given as an activation, and is a layer that no activation does the work of.
pub fn layer_instead(name: &str) -> Option<String> {
    let layer = suggest::layer_alone(name)?;
    let required = spec::Layer::arguments(layer)?.iter().filter(|argument| argument.default.is_none());
    let required: Vec<String> = required.map(|argument| format!("{}={}", argument.name, example(argument.kind))).collect();
    Some(format!("it is a layer: apply it to the output, `{layer}({})(…)`", required.join(", ")))
}

/// A value that an argument of this kind takes.
const fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Size => "32",
        Kind::Sizes(_) => "3",
        Kind::Shape => "(28, 28, 1)",
        Kind::Target => "(7, 7, 64)",
        Kind::Padding(_) => "same",
        Kind::Cells(_) => "1",
        Kind::Number | Kind::Interval => "0.2",
        Kind::Numbers => "(0.5, 0.4, 0.3)",
        Kind::Flag => "true",
        Kind::Activation => "relu",
        Kind::Initializer => "he_normal",
        Kind::Regularizer => "L2(0.001)",
        Kind::Constraint => "MaxNorm(2)",
        Kind::Integer => "-1",
        Kind::Axes => "(1, 2)",
        Kind::Word(words) => words[0],
        Kind::Name => "stem",
        Kind::Layer => "MyLayer { … }",
    }
}

/// Reads what stands in one place as a value for the rule book; `None` for `None`, and if it cannot be.
fn fill(place: Place, argument: &spec::Argument, parameters: &Parameters, errors: &mut Errors) -> Option<Filled> {
    let mut constants = Constants::new();
    let value = match place.given.written {
        // As in Keras, `axis=None` is no axis, which need not be the default.
        Written::Absent if argument.kind == Kind::Axes => Ok(Some(Value::Tuple(Vec::new()))),
        _ => value(&place.given, argument, parameters, &mut constants),
    };
    match value {
        Ok(value) => Some(Filled { value: value?, constants, given: place.given, label: place.label }),
        Err(error) => {
            errors.push(error);
            None
        }
    }
}

fn value(given: &Given, argument: &spec::Argument, parameters: &Parameters, constants: &mut Constants) -> Result<Option<Value>> {
    let kind = argument.kind;
    if kind == Kind::Layer {
        let stand_in = argument.name.to_string();
        constants.push((stand_in.clone(), custom::expression(given)?));
        return Ok(Some(Value::Constant(Constant { text: spaced(&given.tokens), stand_in })));
    }
    let value = match &given.written {
        Written::Value(value) => value.clone(),
        Written::Absent => return Ok(None),
        Written::Name(word) if takes_word(kind, word) => Value::Word(word.clone()),
        Written::Tuple(elements) => {
            let element =
                |given| value(given, argument, parameters, constants).map(|value| value.unwrap_or(Value::Word("None".into())));
            Value::Tuple(elements.iter().map(element).collect::<Result<_>>()?)
        }
        Written::Expression(expr) if let Some(word) = last_word(expr, kind.words()) => {
            return Err(Problem::new("words have no module").help(format!("write `{word}` alone")).at(&given.tokens));
        }
        Written::Name(_) | Written::Expression(_) if let Some(mistake) = misspelled(&given.tokens, parameters) => {
            return Err(mistake);
        }
        Written::Name(_) | Written::Expression(_) if takes_numbers(kind) || matches!(kind, Kind::Padding(_)) => {
            let stand_in = format!("{}_{}", argument.name, constants.len());
            constants.push((stand_in.clone(), constant(given)));
            Value::Constant(Constant { text: spaced(&given.tokens), stand_in })
        }
        Written::Name(_) | Written::Expression(_) => {
            let problem = Problem::new(format!("the value {} must be written out", code(&given.tokens)));
            return Err(problem.help(format!("write it as in `{}={}`", argument.name, example(kind))).at(&given.tokens));
        }
    };
    Ok(Some(value))
}

/// The sizes that are stated of a tensor, with the constants in them; `None` for `_`, which asks for them.
///
/// # Errors
/// If they are no shape.
pub fn shape(given: &Given, parameters: &Parameters) -> Result<Option<(Value, Constants)>> {
    const SHAPE: spec::Argument = spec::Argument { name: "shape", aliases: &[], kind: Kind::Shape, default: None };
    let (given, mut constants) = (evaluate(given, parameters)?, Constants::new());
    match value(&given, &SHAPE, parameters, &mut constants)? {
        None | Some(Value::Unknown) => Ok(None),
        Some(value) => match Shape::source(&value, SHAPE.name) {
            Ok(_) => Ok(Some((value, constants))),
            Err(refusal) => {
                let tokens = refusal.element.map_or(&given.tokens, |element| given.element(element));
                Err(Problem::new(refusal.message).help(refusal.help.unwrap_or_default()).at(tokens))
            }
        },
    }
}

/// The tokens of a constant: what was written, or what a parameter stands for, where it was written.
fn constant(given: &Given) -> TokenStream {
    match &given.written {
        Written::Expression(expr) => expr.to_token_stream(),
        Written::Name(name) => constant_called(name, first_span(&given.tokens)),
        _ => given.tokens.clone(),
    }
}

/// The one of `words` that an expression such as `nn.ReLU()` or `tf.nn.relu` names last.
fn last_word(expr: &Expr, words: &[&'static str]) -> Option<&'static str> {
    let name = match expr {
        Expr::Field(ExprField { member: Member::Named(name), .. }) => name,
        Expr::MethodCall(call) => &call.method,
        Expr::Call(call) if call.args.is_empty() => return last_word(&call.func, words),
        Expr::Path(path) => &path.path.segments.last()?.ident,
        _ => return None,
    };
    let name = name.to_string().replace('_', "");
    words.iter().copied().find(|word| word.replace('_', "").eq_ignore_ascii_case(&name))
}

const fn takes_numbers(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Padding(_)
            | Kind::Flag
            | Kind::Activation
            | Kind::Initializer
            | Kind::Regularizer
            | Kind::Constraint
            | Kind::Word(_)
            | Kind::Name
    )
}

/// Whether a bare name is a word of the language to an argument of this kind, rather than a constant.
fn takes_word(kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Padding(_) => !is_in_capitals(name),
        kind => !takes_numbers(kind),
    }
}

/// The words that stand for `argument` or a value of it without a keyword.
fn bare_words(argument: &spec::Argument) -> impl Iterator<Item = &'static str> {
    let words = argument.kind.words().iter().copied();
    let names = [argument.name].into_iter().chain(argument.aliases.iter().copied());
    let argument = *argument;
    names.chain(words).filter(move |word| argument.takes_bare(word))
}

fn comma_separated(values: &[Given]) -> TokenStream {
    let values = values.iter().map(|given| &given.tokens);
    quote::quote! { #(#values),* }
}

fn first_span(tokens: &TokenStream) -> Span {
    tokens.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span())
}
