//! From what was written to what it means: names resolved, layers looked up, shapes inferred, every mistake reported.

use crate::ast::{Call, Expression, Model, Outline, Statement};
use crate::bind::{Filled, bind};
use crate::fallback::{Field, Sketch};
use crate::graph::{Argument, Edge, Graph, Node, Step};
use crate::report::{Errors, Problem};
use crate::{names, suggest};
use cnn_spec as spec;
use proc_macro2::TokenStream;
use quote::ToTokens;
use spec::{At, Layer, Operand, ShapeError};
use std::collections::HashSet;
use syn::Ident;

/// Checks a model.
///
/// # Errors
/// As much as is known of a model with a mistake. All mistakes are in `errors`, each once: what depends on a bad statement
/// is not checked.
pub fn check(model: &Model, errors: &mut Errors) -> Result<Graph, Sketch> {
    let before = errors.len();
    let names = names::assign(&model.body, errors);
    let mut checker = Checker::new(model, errors);
    for (statement, name) in model.body.statements.iter().zip(&names) {
        checker.statement(statement, name.as_ref());
    }
    let ends = checker.ends(model.body.outline.as_ref());
    checker.unused();
    let Checker { nodes, steps, .. } = checker;
    let is_right = errors.len() == before && model.body.is_whole;
    if is_right && nodes.iter().all(|node| !matches!(node.layer, Layer::Input(_))) {
        let problem = Problem::new("this model has no input").help("start it with one, such as `i = Input(28, 28, 1);`");
        errors.push(problem.at(&model.name));
        return Err(sketch(model, names));
    }
    match ends {
        Some((inputs, outputs)) if is_right => Ok(Graph { nodes, steps, inputs, outputs }),
        _ => Err(sketch(model, names)),
    }
}

fn sketch(model: &Model, names: Vec<Option<Ident>>) -> Sketch {
    let mut sketch = Sketch { fields: Vec::new(), inputs: 0, outputs: 1 };
    for (statement, name) in model.body.statements.iter().zip(names) {
        if let (Statement::Bind(_, Expression::Call(call)), Some(name)) = (statement, name)
            && sketch.fields.iter().all(|field| field.name != name)
            && Layer::arguments(&call.layer.to_string()).is_some()
        {
            sketch.inputs += usize::from(call.layer == spec::Input::NAME);
            sketch.fields.push(Field { name, layer: call.layer.clone() });
        }
    }
    sketch.inputs = sketch.inputs.max(1);
    if let Some(outline) = &model.body.outline {
        (sketch.inputs, sketch.outputs) = (outline.inputs.len(), outline.outputs.len());
    }
    sketch
}

struct Checker<'a> {
    errors: &'a mut Errors,
    strict: bool,
    bindings: Vec<Binding>,
    nodes: Vec<Node>,
    steps: Vec<Step>,
    /// Whether a broken statement may have bound any name.
    any_name: bool,
    /// Names that were reported as unknown.
    unknown: HashSet<String>,
}

/// A name for a tensor.
struct Binding {
    name: Ident,
    /// The node that gives the tensor; `None` is one unknown because of an earlier error.
    node: Option<usize>,
    is_used: bool,
}

impl<'a> Checker<'a> {
    fn new(model: &Model, errors: &'a mut Errors) -> Self {
        let (bindings, nodes, steps) = (Vec::new(), Vec::new(), Vec::new());
        Self { errors, strict: model.body.strict, bindings, nodes, steps, any_name: false, unknown: HashSet::new() }
    }

    fn statement(&mut self, statement: &Statement, name: Option<&Ident>) {
        let (tensor, node) = match statement {
            Statement::Bind(tensor, Expression::Call(call)) => (tensor, self.call(tensor, call, name)),
            Statement::Bind(tensor, Expression::Tensor(of)) => {
                self.steps.push(Step::Alias { name: tensor.clone(), of: of.clone() });
                (tensor, self.resolve(of))
            }
            Statement::Broken(tensor) => {
                self.use_everything();
                match tensor {
                    Some(tensor) => (tensor, None),
                    None => {
                        self.any_name = true;
                        return;
                    }
                }
            }
        };
        self.bindings.push(Binding { name: tensor.clone(), node, is_used: false });
    }

    /// The node of `tensor = Layer(arguments)(tensors);`, unless something about it is wrong or unknown.
    fn call(&mut self, tensor: &Ident, call: &Call, name: Option<&Ident>) -> Option<usize> {
        let inputs = self.inputs(call);
        let kind = call.layer.to_string();
        let Some(table) = Layer::arguments(&kind) else {
            self.errors.push(unknown_layer(&kind).at(&call.layer));
            return None;
        };
        let is_bound = |bindings: &[Binding], name: &str| bindings.iter().any(|binding| binding.name == name);
        let filled = bind(call, table, |name| is_bound(&self.bindings, name), self.errors)?;
        let layer = self.layer(call, table, &filled)?;
        if matches!(layer, Layer::Input(_)) && is_bound(&self.bindings, &tensor.to_string()) {
            let problem = Problem::new(format!("input `{tensor}` has the name of an earlier tensor"));
            self.errors.push(problem.help("give it a name of its own").at(tensor));
            return None;
        }
        let inputs = inputs?;
        let operands: Vec<String> = inputs.iter().map(|edge| edge.tensor.to_string()).collect();
        let operands = operands.iter().zip(&inputs).map(|(name, edge)| Operand::new(name, self.nodes[edge.node].inferred.shape));
        match layer.infer(&operands.collect::<Vec<_>>()) {
            Ok(inferred) => {
                let given = table.iter().zip(&filled).filter_map(|(argument, filled)| Some((argument.name, filled.as_ref()?)));
                let arguments =
                    given.map(|(name, filled)| Argument { name, label: filled.label, value: filled.span() }).collect();
                let (name, tensor, kind) = (name?.clone(), tensor.clone(), call.layer.clone());
                self.steps.push(Step::Apply(self.nodes.len()));
                self.nodes.push(Node { name, tensor, layer, kind, arguments, inputs, inferred });
                Some(self.nodes.len() - 1)
            }
            Err(error) => {
                let problem = self.broken_rule(&error, &inputs);
                self.errors.push(problem.at(blamed(error.at, call, table, &filled)));
                None
            }
        }
    }

    /// The tensors a layer is applied to, or `None` if one is unknown.
    fn inputs(&mut self, call: &Call) -> Option<Vec<Edge>> {
        let names = call.tensors.as_ref().map_or(&[][..], |tensors| &tensors.names);
        if names.is_empty() && call.layer != spec::Input::NAME {
            self.use_everything();
        }
        let edges: Vec<Option<Edge>> = names.iter().map(|name| self.edge(name)).collect();
        edges.into_iter().collect()
    }

    fn edge(&mut self, name: &Ident) -> Option<Edge> {
        Some(Edge { node: self.resolve(name)?, tensor: name.clone() })
    }

    /// The layer with its arguments, if the rule book takes their values.
    fn layer(&mut self, call: &Call, table: &[spec::Argument], filled: &[Option<Filled>]) -> Option<Layer> {
        let strict = |argument: &spec::Argument| (self.strict && argument.name == "strict").then_some(spec::Value::Bool(true));
        let value = |(argument, filled): (&spec::Argument, &Option<Filled>)| match filled {
            Some(filled) => Some(filled.value.clone()),
            None => strict(argument),
        };
        let values: Vec<Option<spec::Value>> = table.iter().zip(filled).map(value).collect();
        match Layer::from_values(&call.layer.to_string(), &values) {
            Ok(layer) => Some(layer),
            Err((place, refusal)) => {
                let help = refusal.unknown.map(|(word, words)| suggest::word(&word, words)).or(refusal.help);
                let at = filled[place].as_ref().map_or_else(
                    || call.layer.to_token_stream(),
                    |filled| refusal.element.map_or(&filled.given.tokens, |element| filled.given.element(element)).clone(),
                );
                self.errors.push(Problem::new(refusal.message).help(help.unwrap_or_default()).at(at));
                None
            }
        }
    }

    /// The node that `name` is bound to at this point.
    fn resolve(&mut self, name: &Ident) -> Option<usize> {
        if let Some(binding) = self.bindings.iter_mut().rev().find(|binding| binding.name == *name) {
            binding.is_used = true;
            return binding.node;
        }
        if !self.any_name && self.unknown.insert(name.to_string()) {
            let mut tensors: Vec<String> = Vec::new();
            for binding in self.bindings.iter().rev() {
                let name = binding.name.to_string();
                if !tensors.contains(&name) {
                    tensors.push(name);
                }
            }
            let is_layer = Layer::NAMES.iter().any(|layer| name == layer);
            let problem = match is_layer {
                true => Problem::new(format!("layer `{name}` is not called")).help(format!("write `{name}(…)(…)`")),
                false => Problem::new(format!("unknown tensor `{name}`")).help(suggest::tensor(&name.to_string(), &tensors)),
            };
            self.errors.push(problem.at(name));
        }
        self.use_everything();
        None
    }

    /// Counts every name as used, because it cannot be known which one a mistake stands for.
    fn use_everything(&mut self) {
        self.bindings.iter_mut().for_each(|binding| binding.is_used = true);
    }

    /// Where tensors enter and leave, or `None` if that is unknown.
    fn ends(&mut self, outline: Option<&Outline>) -> Option<(Vec<usize>, Vec<Edge>)> {
        if let Some(outline) = outline {
            let inputs = self.listed_inputs(outline);
            let outputs: Vec<Option<Edge>> = outline.outputs.iter().map(|name| self.edge(name)).collect();
            return Some((inputs?, outputs.into_iter().collect::<Option<_>>()?));
        }
        let inputs = (0..self.nodes.len()).filter(|node| self.is_input(*node)).collect();
        let last = self.bindings.last_mut()?;
        last.is_used = true;
        Some((inputs, vec![Edge { node: last.node?, tensor: last.name.clone() }]))
    }

    /// The inputs that `Model(…)` lists, which must be all there are.
    fn listed_inputs(&mut self, outline: &Outline) -> Option<Vec<usize>> {
        let (mut listed, mut all_fit) = (Vec::new(), true);
        for name in &outline.inputs {
            match self.resolve(name) {
                Some(node) => match self.unfit_input(name, node, &listed) {
                    Some(problem) => {
                        self.errors.push(problem.at(name));
                        all_fit = false;
                    }
                    None => listed.push(node),
                },
                None => all_fit = false,
            }
        }
        if !all_fit {
            return None;
        }
        let is_used = |node| self.bindings.iter().any(|binding| binding.node == Some(node) && binding.is_used);
        let is_missing = |node: &usize| self.is_input(*node) && !listed.contains(node) && is_used(*node);
        let missing: Vec<usize> = (0..self.nodes.len()).filter(is_missing).collect();
        for node in missing {
            let tensor = &self.nodes[node].tensor;
            let problem = Problem::new(format!("input `{tensor}` is missing from `Model(…)`"));
            self.errors.push(problem.help("list it among the inputs, the first argument").at(tensor));
        }
        Some(listed)
    }

    fn unfit_input(&self, name: &Ident, node: usize, listed: &[usize]) -> Option<Problem> {
        if listed.contains(&node) {
            return Some(Problem::new(format!("input `{name}` is listed twice")).help("leave out one of them"));
        }
        let help = "list the inputs first, the outputs second";
        (!self.is_input(node)).then(|| Problem::new(format!("`{name}` is not an `Input`")).help(help))
    }

    fn is_input(&self, node: usize) -> bool {
        matches!(self.nodes[node].layer, Layer::Input(_))
    }

    /// Reports every name that nothing uses.
    fn unused(&mut self) {
        for (index, Binding { name, node, is_used }) in self.bindings.iter().enumerate() {
            let Some(node) = node.filter(|_| !is_used) else { continue };
            let problem = match self.is_input(node) && self.nodes[node].tensor == *name {
                true => Problem::new(format!("input `{name}` reaches no output")),
                false => Problem::new(format!("`{name}` is never used")),
            };
            let is_rebound = self.bindings[index + 1..].iter().any(|later| later.name == *name);
            let note = if is_rebound { "it is bound again before anything uses it" } else { "" };
            self.errors.push(problem.note(note).help("remove it, or use it on the way to the output").at(name));
        }
    }

    /// What `error` says, with the way its input got its shape when that is what a window does not fit.
    fn broken_rule(&self, error: &ShapeError, inputs: &[Edge]) -> Problem {
        let mut note = error.note.to_string();
        if let (At::Element(..), [input], false) = (error.at, inputs, note.is_empty())
            && let Some(way) = self.way(input.node)
        {
            note = format!("{note}, after {way}");
        }
        Problem::new(error.message.to_string()).note(note).help(error.help.to_string())
    }

    /// The layers from the input to `node` with their shapes, when there is more than the input.
    fn way(&self, node: usize) -> Option<String> {
        const MOST: usize = 7;
        let back = |node: &usize| self.nodes[*node].inputs.first().map(|edge| edge.node);
        let mut way: Vec<usize> = std::iter::successors(Some(node), back).collect();
        way.reverse();
        let step = |node: &usize| format!("{} {}", self.nodes[*node].layer.name(), self.nodes[*node].inferred.shape);
        let mut steps: Vec<String> = way.iter().map(step).collect();
        if steps.len() > MOST {
            steps.splice(1..=steps.len() - MOST + 1, ["…".to_string()]);
        }
        (steps.len() > 1).then(|| steps.join(" → "))
    }
}

fn unknown_layer(kind: &str) -> Problem {
    if suggest::is_planned(kind) {
        return Problem::new(format!("layer `{kind}` is not supported yet"));
    }
    Problem::new(format!("unknown layer `{kind}`")).help(suggest::layer(kind))
}

/// The tokens that an error of the rule book is about.
fn blamed(at: At, call: &Call, table: &[spec::Argument], filled: &[Option<Filled>]) -> TokenStream {
    let given = |name: &str| {
        let place = table.iter().position(|argument| argument.name == name)?;
        filled[place].as_ref().map(|filled| &filled.given)
    };
    let tokens = match (at, &call.tensors) {
        (At::Argument(name), _) => given(name).map(|given| given.tokens.clone()),
        (At::Element(name, index), _) => given(name).map(|given| given.element(index).clone()),
        (At::Input(index), Some(tensors)) => tensors.names.get(index).map(ToTokens::to_token_stream),
        (At::Inputs, Some(tensors)) => Some(tensors.parentheses.to_token_stream()),
        _ => None,
    };
    tokens.unwrap_or_else(|| call.layer.to_token_stream())
}
