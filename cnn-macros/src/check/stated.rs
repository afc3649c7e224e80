//! The shapes that statements say their tensors have, and those they ask for.

use super::Checker;
use super::scope::Bound;
use crate::ast::Given;
use crate::bind;
use crate::graph::{Blamed, Check, Constants, Stated};
use crate::report::Problem;
use cnn_spec::{self as spec, FromValue};
use quote::ToTokens;
use syn::Ident;

impl<'a> Checker<'a> {
    /// Checks the shape that a statement says its tensor has, or answers what it is.
    pub(super) fn stated(&mut self, name: &'a Ident, given: &Given) {
        let Some(Bound::Tensor(Some(node))) = self.scope.bindings.last().map(|binding| binding.bound) else {
            return self.use_everything();
        };
        let stated = match bind::shape(given, &self.scope.parameters) {
            Ok(stated) => stated,
            Err(error) => {
                self.errors.push(error);
                return self.use_everything();
            }
        };
        let known = match &stated {
            None => Some(None),
            Some((value, _)) => spec::Shape::from_value(value, "shape").ok().map(Some),
        };
        match (self.inferred(node), known) {
            (Some(inferred), Some(known)) => {
                if let Err(error) = inferred.is_stated(&name.to_string(), known.as_ref()) {
                    let error = self.after(error, "", self.nodes[node].inputs.first());
                    let problem = Problem::new(error.message.to_string()).note(error.note.to_string());
                    self.errors.push(problem.help(error.help.to_string()).at(&given.tokens));
                }
            }
            _ => self.state_later(node, name, given, stated),
        }
    }

    /// Leaves it to the compiler to check the shape that is stated of a node.
    pub(super) fn state_later(&mut self, node: usize, name: &Ident, given: &Given, stated: Option<(spec::Value, Constants)>) {
        let source = |(value, constants)| match spec::Shape::source(&value, "shape") {
            Ok(source) => Some(Stated { source, constants }),
            Err(_) => None,
        };
        let labels = self.nodes[node].inputs.iter().map(|input| self.nodes[*input].tensor.to_string()).collect();
        let place = self.errors.place();
        let check = self.nodes[node].check.get_or_insert_with(|| Check {
            labels,
            blamed: Vec::new(),
            otherwise: name.to_token_stream(),
            place,
            first: None,
            stated: Vec::new(),
        });
        check.stated.push((name.to_string(), stated.and_then(source)));
        check.blamed.push((Blamed::Stated, given.tokens.clone()));
    }
}
