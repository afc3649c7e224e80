//! One application of a layer: what follows from it, what is wrong with it, and what is left to the compiler to check.

use super::blame::{blamable, blamed};
use super::{Checker, Held, Read, Slot, Value, without_tensor};
use crate::ast::{Call, Expression};
use crate::graph::{Blamed, Check, Described, Node, Source};
use crate::report::Problem;
use crate::{graph, parse};
use cnn_spec::{self as spec, At, Inferred, Layer, Operand, ShapeError};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::rc::Rc;
use syn::Ident;

impl<'a> Checker<'a> {
    /// `a + b`, which is `Add()([a, b])`.
    pub(super) fn sum(&mut self, plus: &'a TokenTree, terms: &'a [Expression], target: &'a Ident) -> Option<Value> {
        let operands = self.all(terms, target);
        let kind = Ident::new(spec::Add::NAME, plus.span());
        let name = self.names.add(self.scope.place, spec::Add::SNAKE_NAME.to_string(), None, plus.span());
        self.slots.push(Slot { name, kind: kind.clone() });
        let (operands, layer) = (operands?, Described::Known(Box::new(Layer::Add(spec::Add::new()))));
        match self.infer(&layer, &operands) {
            Ok(inferred) => {
                let (inputs, frozen) = (self.shapes(&operands), self.scope.frozen);
                let call = std::ptr::from_ref(plus).addr();
                self.layers.push(graph::Layer { name, kind, call, layer, arguments: Rc::from([]), inputs, inferred, frozen });
                let check = inferred.is_none().then(|| self.check(&operands, Vec::new(), plus.to_token_stream(), None));
                Some(self.add_node(self.layers.len() - 1, inferred.as_ref(), operands, target, check))
            }
            Err(error) => {
                let problem = self.broken_rule(&error, &operands);
                self.errors.push(problem.at(plus));
                None
            }
        }
    }

    /// Applies a layer to tensors that are given in the tokens `blame`.
    pub(super) fn apply(
        &mut self,
        held: &mut Held<'a>,
        operands: Vec<(String, Value)>,
        blame: Option<&TokenTree>,
        target: &Ident,
    ) -> Option<Value> {
        held.is_used = true;
        let call = held.call;
        let table = Layer::arguments(&call.layer.to_string()).unwrap_or_default();
        let is_late = call.tensors.is_none() && blame.is_some();
        let inferred = match self.infer(&held.read.layer, &operands) {
            Ok(inferred) => inferred,
            Err(error) => {
                let problem = self.broken_rule(&error, &operands);
                let tokens = match (error.at, blame) {
                    // A layer bound to a name may fit one tensor and not another.
                    (_, Some(blame)) if is_late => blame.to_token_stream(),
                    (At::Inputs, Some(blame)) => blame.to_token_stream(),
                    (at, _) => blamed(at, call, table, &held.read.filled),
                };
                self.errors.push(problem.at(tokens));
                if !is_late {
                    self.also_broken(held, &operands, error);
                }
                return None;
            }
        };
        if operands.is_empty() && inferred.is_none() && call.layer != spec::Input::NAME {
            let (message, help) = without_tensor(call);
            let tokens = blame.map_or_else(|| call.layer.to_token_stream(), ToTokens::to_token_stream);
            self.errors.push(Problem::new(message).help(help).at(tokens));
            return None;
        }
        let first = held.applied.clone();
        let layer = match &first {
            Some((node, first)) => {
                self.weights_fit(*node, first, inferred.as_ref(), &operands, blame)?;
                self.nodes[*node].layer
            }
            None => {
                let (kind, inputs) = (call.layer.clone(), self.shapes(&operands));
                let Read { layer, arguments, .. } = held.read.clone();
                let (name, frozen, call) = (held.name, held.frozen, std::ptr::from_ref(call).addr());
                self.layers.push(graph::Layer { name, kind, call, layer, arguments, inputs, inferred, frozen });
                self.layers.len() - 1
            }
        };
        if first.is_none() {
            held.applied = Some((self.nodes.len(), operands.first().map_or_else(String::new, |(label, _)| label.clone())));
        }
        let check = inferred.is_none().then(|| {
            let (blamed, otherwise) = match blame {
                Some(blame) if is_late => (Vec::new(), blame.to_token_stream()),
                _ => (blamable(call, table, &held.read.filled), call.layer.to_token_stream()),
            };
            self.check(&operands, blamed, otherwise, first)
        });
        Some(self.add_node(layer, inferred.as_ref(), operands, target, check))
    }

    /// That the weights of a layer applied before are those it would have here.
    pub(super) fn weights_fit(
        &mut self,
        node: usize,
        first: &str,
        inferred: Option<&Inferred>,
        operands: &[(String, Value)],
        blame: Option<&TokenTree>,
    ) -> Option<()> {
        let earlier = &self.layers[self.nodes[node].layer];
        let (Some(before), Some(inferred), [from, ..]) = (&earlier.inferred, inferred, earlier.inputs.as_deref().unwrap_or(&[]))
        else {
            return Some(());
        };
        let (label, value) = operands.first()?;
        let here = Operand::new(label, self.shape(value)?);
        match inferred.shares_weights(before, &earlier.kind.to_string(), &Operand::new(first, *from), &here) {
            Ok(()) => Some(()),
            Err(error) => {
                let problem = Problem::new(error.message.to_string()).note(error.note.to_string());
                self.errors.push(problem.help(error.help.to_string()).at(blame));
                None
            }
        }
    }

    /// Applies a layer that is bound to a name: `conv(x)`.
    pub(super) fn apply_held(&mut self, held: usize, call: &'a Call, target: &'a Ident) -> Option<Value> {
        self.scope.mark_used(&call.layer);
        self.held[held].is_used = true;
        if let Some(tensors) = &call.tensors {
            self.all(&tensors.expressions, target);
            let problem = Problem::new(format!("`{}` has its arguments already", call.layer));
            self.errors.push(problem.help(format!("leave them out: `{}(…)`", call.layer)).at(&call.parentheses));
            return None;
        }
        let expressions = match call.reread.get() {
            Some(expressions) => expressions,
            None => match parse::tensors_of(&call.parentheses, self.errors) {
                Ok(expressions) => call.reread.get_or_init(|| expressions),
                Err(error) => {
                    self.use_everything();
                    self.errors.push(error);
                    return None;
                }
            },
        };
        let operands = self.all(expressions, target)?;
        let mut layer = self.held[held].clone();
        let value = self.apply(&mut layer, operands, Some(&call.parentheses), target);
        self.held[held] = layer;
        value
    }

    /// What follows from a layer, or `None` if only the compiler can find out.
    pub(super) fn infer(&self, layer: &Described, operands: &[(String, Value)]) -> Result<Option<Inferred>, ShapeError> {
        let operand = |(name, value): &'_ (String, Value)| Some((name.clone(), self.shape(value)?));
        let operands: Option<Vec<(String, spec::Shape)>> = operands.iter().map(operand).collect();
        let (Some(layer), Some(operands)) = (layer.known(), operands) else { return Ok(None) };
        let operands: Vec<Operand> = operands.iter().map(|(name, shape)| Operand::new(name, *shape)).collect();
        layer.infer(&operands).map(Some)
    }

    /// What follows from the layer of a node, if the macro knows it.
    pub(super) fn inferred(&self, node: usize) -> Option<Inferred> {
        let Node { layer, inputs, .. } = &self.nodes[node];
        let operand = |input: &usize| Some((self.nodes[*input].tensor.to_string(), self.nodes[*input].shape?));
        let operands: Vec<(String, spec::Shape)> = inputs.iter().map(operand).collect::<Option<_>>()?;
        let operands: Vec<Operand> = operands.iter().map(|(name, shape)| Operand::new(name, *shape)).collect();
        self.layers[*layer].layer.known()?.infer(&operands).ok()
    }

    pub(super) fn shape(&self, value: &Value) -> Option<spec::Shape> {
        self.nodes[value.nodes[0]].shape
    }

    pub(super) fn shapes(&self, operands: &[(String, Value)]) -> Option<Vec<spec::Shape>> {
        operands.iter().map(|(_, value)| self.shape(value)).collect()
    }

    /// What the compiler needs to check an application of a layer.
    pub(super) fn check(
        &self,
        operands: &[(String, Value)],
        mut blamed: Vec<(Blamed, TokenStream)>,
        otherwise: TokenStream,
        first: Option<(usize, String)>,
    ) -> Check {
        blamed.retain(|(_, tokens)| !tokens.is_empty());
        let labels = operands.iter().map(|(label, _)| label.clone()).collect();
        Check { labels, blamed, otherwise, place: self.errors.place(), first, stated: Vec::new() }
    }

    pub(super) fn add_node(
        &mut self,
        layer: usize,
        inferred: Option<&Inferred>,
        operands: Vec<(String, Value)>,
        target: &Ident,
        check: Option<Check>,
    ) -> Value {
        let (inputs, operands) = operands.into_iter().map(|(_, value)| (value.nodes[0], value.source)).unzip();
        let shape = inferred.map(|inferred| inferred.shape);
        self.nodes.push(Node { layer, tensor: target.clone(), inputs, shape, check });
        let node = self.nodes.len() - 1;
        Value { nodes: vec![node], source: Source::Apply { node, operands } }
    }
}
