//! A call of a block: its parameters filled, its statements checked as if they stood in the place of the call.

use super::{Checker, MOST_BLOCKS, Value};
use crate::ast::{Argument, Block, Call, Parameter, Written};
use crate::check::scope::{Bound, Scope};
use crate::common::{self, Common};
use crate::evaluate::{Parameters, evaluate, text};
use crate::graph::{self, Source};
use crate::names::snake;
use crate::report::{Problem, Result};
use crate::suggest;
use cnn_spec as spec;
use quote::ToTokens;
use syn::Ident;

impl<'a> Checker<'a> {
    /// The tensors that `block` gives where it is called.
    pub(super) fn block(&mut self, block: &'a Block, call: &'a Call, target: &'a Ident) -> Option<Value> {
        self.used.insert(block.name.to_string());
        let operands = self.operands(call, target);
        if block.is_broken {
            self.use_everything();
            return None;
        }
        if self.inside.contains(&&block.name) {
            let problem = Problem::new(format!("block `{}` is made of itself", block.name));
            self.errors.push(problem.help("repeat statements with a loop: `for _ in 0..3 { … }`").at(&call.layer));
            return None;
        }
        if self.inside.len() == MOST_BLOCKS {
            let problem = Problem::new(format!("more than {MOST_BLOCKS} blocks are called one inside the other"));
            self.errors.push(problem.help("use fewer of them").at(&call.layer));
            return None;
        }
        let (common, arguments) = common::arguments(call, &self.scope.parameters, self.errors)?;
        let parameters = match self.parameters(block, call, &arguments) {
            Ok(parameters) => parameters,
            Err(error) => {
                self.errors.push(error);
                return None;
            }
        };
        let given = call.tensors.as_ref().map_or(0, |tensors| tensors.expressions.len());
        if given != block.tensors.len() {
            self.errors.push(wrong_count(block, call, given));
            return None;
        }
        let operands = operands?;
        let inner = self.inner(block, call, common, parameters);
        let outer = std::mem::replace(&mut self.scope, inner);
        let mut given = Vec::new();
        for (name, (_, value)) in block.tensors.iter().zip(operands) {
            self.scope.bind(name, Bound::Tensor(Some(value.nodes[0])));
            given.push((name.clone(), value.source));
        }
        self.errors.enter(format!("in `{}{}`", block.name, written(&arguments)));
        self.inside.push(&block.name);
        let value = self.inlined(block, given, target);
        self.inside.pop();
        self.errors.leave();
        self.scope = outer;
        value
    }

    /// The scope that the statements of a block start with.
    fn inner(&mut self, block: &Block, call: &Call, common: Common, parameters: Parameters) -> Scope<'a> {
        let place = self.names.add(self.scope.place, snake(&block.name.to_string()), common.name, call.layer.span());
        Scope { parameters, place: Some(place), frozen: common.frozen || self.scope.frozen, ..Scope::default() }
    }

    /// Checks the statements of a block, and puts them together.
    fn inlined(&mut self, block: &'a Block, arguments: Vec<(Ident, Source)>, target: &'a Ident) -> Option<Value> {
        self.statements(&block.statements);
        let before = self.errors.len();
        let values = match &block.value {
            Some(_) if self.broken_values.contains(&std::ptr::from_ref(block)) => None,
            Some(values) => values.iter().map(|value| Some(self.one(value, target)?.1)).collect::<Option<Vec<Value>>>(),
            None => None,
        };
        if values.is_none() {
            self.use_everything();
        }
        if self.errors.len() > before {
            self.broken_values.insert(block);
        }
        self.unused();
        let (nodes, value) = values?.into_iter().map(|value| (value.nodes[0], value.source)).unzip();
        let (name, place, steps) = (block.name.clone(), self.scope.place?, std::mem::take(&mut self.scope.steps));
        Some(Value { nodes, source: Source::Block(graph::Block { name, place, arguments, steps, value }) })
    }

    /// What the parameters of `block` stand for in this call.
    fn parameters(&self, block: &Block, call: &Call, arguments: &[Argument]) -> Result<Parameters> {
        let mut places: Vec<Option<&Written>> = vec![None; block.parameters.len()];
        let switched_on = Written::Value(spec::Value::Bool(true));
        for Argument { keyword, given } in arguments {
            let label = keyword.as_ref().map_or_else(|| given.tokens.clone(), ToTokens::to_token_stream);
            let switch = given.word().and_then(|word| block.parameters.iter().position(|parameter| parameter.is_switch(word)));
            let (place, value) = match (keyword, switch) {
                (Some(keyword), _) => (Some(place(block, keyword)?), &given.written),
                (None, Some(place)) => (Some(place), &switched_on),
                (None, None) => (places.iter().position(Option::is_none), &given.written),
            };
            if let (None, None, Some(word)) = (keyword, switch, given.word())
                && self.scope.is_tensor(word)
            {
                let problem = Problem::new(format!("`{word}` is a tensor, not a parameter of `{}`", block.name));
                let help = format!("apply the block to it in a second pair of parentheses: `{}(…)({word})`", block.name);
                return Err(problem.help(help).at(label));
            }
            match place {
                Some(place) if places[place].is_some() => {
                    let problem = Problem::new(format!("`{}` is given twice", block.parameters[place].name));
                    return Err(problem.help("leave out one of them").at(label));
                }
                Some(place) => places[place] = Some(value),
                None => {
                    let problem = Problem::new(format!("`{}` takes no further parameter", block.name));
                    return Err(problem.note(signature(block)).help("leave it out").at(label));
                }
            }
        }
        let mut parameters = Parameters::default();
        for (parameter, place) in block.parameters.iter().zip(places) {
            let value = match (place, &parameter.default) {
                (Some(value), _) => value.clone(),
                (None, Some(default)) => evaluate(default, &parameters)?.written,
                (None, None) => {
                    let problem = Problem::new(format!("`{}` of `{}` is missing", parameter.name, block.name));
                    let help = format!("add it, as in `{}=…`", parameter.name);
                    return Err(problem.note(signature(block)).help(help).at(&call.parentheses));
                }
            };
            parameters.set(parameter.name.to_string(), value);
        }
        Ok(parameters)
    }
}

impl Parameter {
    /// Whether the bare word alone switches it on.
    fn is_switch(&self, word: &str) -> bool {
        let is_flag =
            self.default.as_ref().is_some_and(|default| matches!(default.written, Written::Value(spec::Value::Bool(_))));
        is_flag && self.name == word
    }
}

fn place(block: &Block, keyword: &Ident) -> Result<usize> {
    block.parameters.iter().position(|parameter| parameter.name == *keyword).ok_or_else(|| {
        let names: Vec<String> = block.parameters.iter().map(|parameter| parameter.name.to_string()).collect();
        let known: Vec<&str> = names.iter().map(String::as_str).chain(common::COMMON.map(|argument| argument.name)).collect();
        let problem = Problem::new(format!("`{}` has no parameter `{keyword}`", block.name));
        problem.help(suggest::argument(&keyword.to_string(), &known, &[])).at(keyword)
    })
}

/// How the block is called.
fn signature(block: &Block) -> String {
    let parameter = |Parameter { name, default }: &Parameter| match default {
        Some(default) => format!("{name}={}", text(&default.written)),
        None => name.to_string(),
    };
    let parameters: Vec<String> = block.parameters.iter().map(parameter).collect();
    let tensors: Vec<String> = block.tensors.iter().map(ToString::to_string).collect();
    format!("the call is `{}({})({})`", block.name, parameters.join(", "), tensors.join(", "))
}

/// `(64, stride=2)`: the arguments of a call with their values.
fn written(arguments: &[Argument]) -> String {
    let argument = |Argument { keyword, given }: &Argument| match keyword {
        Some(keyword) => format!("{keyword}={}", text(&given.written)),
        None => text(&given.written),
    };
    format!("({})", arguments.iter().map(argument).collect::<Vec<_>>().join(", "))
}

fn wrong_count(block: &Block, call: &Call, found: usize) -> crate::report::Mistake {
    let (noun, takes) = (if block.tensors.len() == 1 { "tensor" } else { "tensors" }, block.tensors.len());
    let problem = Problem::new(format!("`{}` takes {takes} {noun}, found {found}", block.name)).note(signature(block));
    let tensors: Vec<String> = block.tensors.iter().map(ToString::to_string).collect();
    let problem = problem.help(format!("apply it to its {noun}: `{}(…)({})`", block.name, tensors.join(", ")));
    match (&call.tensors, found) {
        (Some(tensors), 1..) => problem.at(&tensors.parentheses),
        _ => problem.at(&call.layer),
    }
}
