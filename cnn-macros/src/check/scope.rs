//! What is known by name at one point of a model or a block: tensors, layers, parameters, and what has been done so far.

use crate::ast::{Given, Pattern, Written};
use crate::evaluate::{Parameters, text};
use crate::graph::Step;
use crate::names::Place;
use crate::report::{Problem, Result};
use std::collections::HashSet;
use syn::Ident;

/// The names of a model, or of one call of a block.
#[derive(Default)]
pub struct Scope<'a> {
    pub bindings: Vec<Binding<'a>>,
    pub parameters: Parameters,
    /// Its statements as code.
    pub steps: Vec<Step>,
    /// The block it is, among the names of layers.
    pub place: Place,
    /// Whether all layers in it are left as they are by training.
    pub frozen: bool,
    /// Whether a broken statement may have bound any name.
    pub any_name: bool,
    /// Names that were reported as unknown.
    pub unknown: HashSet<String>,
    /// How many of the bindings the last statement made.
    pub last: usize,
}

/// A name, and what it stands for.
pub struct Binding<'a> {
    pub name: &'a Ident,
    /// The name as text, which is much faster to compare than the token.
    word: String,
    pub bound: Bound,
    pub is_used: bool,
}

/// What a name stands for.
#[derive(Clone, Copy)]
pub enum Bound {
    /// The output of a node; `None` is one unknown because of an earlier error.
    Tensor(Option<usize>),
    /// A layer that is applied later.
    Layer(usize),
}

impl<'a> Binding<'a> {
    fn new(name: &'a Ident, bound: Bound) -> Self {
        Self { name, word: name.to_string(), bound, is_used: false }
    }

    /// The node whose output the name stands for.
    pub fn node(&self) -> Option<usize> {
        match self.bound {
            Bound::Tensor(node) => node,
            Bound::Layer(_) => None,
        }
    }

    /// The layer the name stands for.
    pub fn layer(&self) -> Option<usize> {
        match self.bound {
            Bound::Tensor(_) => None,
            Bound::Layer(layer) => Some(layer),
        }
    }
}

impl<'a> Scope<'a> {
    /// Lets `name` stand for something from here on.
    pub fn bind(&mut self, name: &'a Ident, bound: Bound) {
        self.bindings.push(Binding::new(name, bound));
    }

    /// What `name` stands for at this point.
    pub fn find(&self, name: &Ident) -> Option<&Binding<'a>> {
        let word = name.to_string();
        self.bindings.iter().rev().find(|binding| binding.word == word)
    }

    /// What `name` stands for at this point, which is used now.
    pub fn mark_used(&mut self, name: &Ident) -> Option<Bound> {
        let word = name.to_string();
        let binding = self.bindings.iter_mut().rev().find(|binding| binding.word == word)?;
        binding.is_used = true;
        Some(binding.bound)
    }

    /// Whether `name` is bound.
    pub fn is_tensor(&self, name: &str) -> bool {
        self.bindings.iter().any(|binding| binding.word == name)
    }

    /// The names of tensors, the latest first.
    pub fn tensors(&self) -> Vec<String> {
        let mut tensors: Vec<String> = Vec::new();
        for Binding { word, .. } in self.bindings.iter().rev() {
            if !tensors.contains(word) {
                tensors.push(word.clone());
            }
        }
        tensors
    }

    /// The names that the last statement bound.
    pub fn last_names(&self) -> Vec<&'a Ident> {
        self.bindings[self.bindings.len() - self.last..].iter().map(|binding| binding.name).collect()
    }

    /// Counts every name as used, because it cannot be known which one a mistake stands for.
    pub fn use_everything(&mut self) {
        self.bindings.iter_mut().for_each(|binding| binding.is_used = true);
    }

    /// Lets the variables of a loop stand for one of its values; what they stand for, in words.
    ///
    /// # Errors
    /// If the pattern has another number of variables than the value has elements.
    pub fn match_pattern(&mut self, pattern: &Pattern, value: Written, values: &Given) -> Result<String> {
        let pairs: Vec<(&Option<Ident>, Written)> = match (pattern, value) {
            (Pattern::One(variable), value) => vec![(variable, value)],
            (Pattern::Tuple(variables), Written::Tuple(elements)) if variables.len() == elements.len() => {
                variables.iter().zip(elements.into_iter().map(|element| element.written)).collect()
            }
            (Pattern::Tuple(variables), value) => {
                let found = text(&value);
                let message = format!("the loop has {} variables, and `{found}` is no tuple of as many", variables.len());
                return Err(Problem::new(message)
                    .help(format!("give each value as many elements, as in `({found}, …)`"))
                    .at(&values.tokens));
            }
        };
        let mut words = Vec::new();
        for (variable, value) in pairs {
            if let Some(variable) = variable {
                words.push(format!("`{variable}` is {}", text(&value)));
                self.parameters.set(variable.to_string(), value);
            }
        }
        Ok(if words.is_empty() { "in a loop".into() } else { format!("where {}", words.join(" and ")) })
    }
}
