//! Where tensors enter and leave a model, and what is left over.

use super::Checker;
use super::scope::Binding;
use crate::ast::Outline;
use crate::graph::Edge;
use crate::report::Problem;
use cnn_spec as spec;
use syn::Ident;

impl<'a> Checker<'a> {
    /// Where tensors enter and leave, or `None` if that is unknown.
    pub(super) fn ends(&mut self, outline: Option<&Outline>) -> Option<(Vec<usize>, Vec<Edge>)> {
        if let Some(outline) = outline {
            let inputs = self.listed_inputs(outline);
            let outputs: Vec<Option<Edge>> = outline.outputs.iter().map(|name| self.edge(name)).collect();
            return Some((inputs?, outputs.into_iter().collect::<Option<_>>()?));
        }
        let inputs = (0..self.nodes.len()).filter(|node| self.is_input(*node)).collect();
        let names: Vec<&Ident> = self.scope.last_names();
        let outputs: Vec<Option<Edge>> = names.into_iter().map(|name| self.edge(name)).collect();
        let outputs: Vec<Edge> = outputs.into_iter().collect::<Option<_>>()?;
        (!outputs.is_empty()).then_some((inputs, outputs))
    }

    pub(super) fn edge(&mut self, name: &Ident) -> Option<Edge> {
        Some(Edge { node: self.resolve(name)?, tensor: name.clone() })
    }

    /// The inputs that `Model(…)` lists, which must be all there are.
    pub(super) fn listed_inputs(&mut self, outline: &Outline) -> Option<Vec<usize>> {
        let (mut listed, mut all_fit) = (Vec::new(), true);
        for name in &outline.inputs {
            match self.resolve(name) {
                Some(node) => match self.unfit_input(name, node, &listed, outline) {
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
        let is_used = |node| self.scope.bindings.iter().any(|binding| binding.node() == Some(node) && binding.is_used);
        let is_missing = |node: &usize| self.is_input(*node) && !listed.contains(node) && is_used(*node);
        let missing: Vec<usize> = (0..self.nodes.len()).filter(is_missing).collect();
        for node in missing {
            let tensor = &self.nodes[node].tensor;
            let inputs: Vec<String> = outline.inputs.iter().chain([tensor]).map(ToString::to_string).collect();
            let problem = Problem::new(format!("input `{tensor}` is missing from `Model(…)`"));
            self.errors.push(problem.help(format!("list it: `Model([{}], …)`", inputs.join(", "))).at(tensor));
        }
        Some(listed)
    }

    pub(super) fn unfit_input(&self, name: &Ident, node: usize, listed: &[usize], outline: &Outline) -> Option<Problem> {
        if listed.contains(&node) {
            return Some(Problem::new(format!("input `{name}` is listed twice")).help("leave out one of them"));
        }
        let is_input = |name: &&Ident| self.scope.find(name).and_then(Binding::node).is_some_and(|node| self.is_input(node));
        let (inputs, outputs): (Vec<&Ident>, Vec<&Ident>) = outline.inputs.iter().chain(&outline.outputs).partition(is_input);
        let side = |names: Vec<&Ident>| match names.as_slice() {
            [] => "…".to_string(),
            [name] => name.to_string(),
            names => format!("[{}]", names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        };
        let help = format!("list the inputs first, the outputs second: `Model({}, {})`", side(inputs), side(outputs));
        (!self.is_input(node)).then(|| Problem::new(format!("`{name}` is not an `Input`")).help(help))
    }

    pub(super) fn is_input(&self, node: usize) -> bool {
        self.layers[self.nodes[node].layer].kind == spec::Input::NAME
    }

    /// Reports every name of the scope that nothing uses, and every layer that is applied to nothing.
    pub(super) fn unused(&mut self) {
        let held: Vec<(usize, &Ident)> =
            self.scope.bindings.iter().filter_map(|binding| Some((binding.layer()?, binding.name))).collect();
        held.into_iter().for_each(|(held, name)| self.not_applied(held, name));
        let bindings = std::mem::take(&mut self.scope.bindings);
        for (index, binding) in bindings.iter().enumerate() {
            let Some(node) = binding.node().filter(|_| !binding.is_used) else { continue };
            let name = binding.name;
            if !self.reported.insert(name) {
                continue;
            }
            let problem = match self.is_input(node) && self.nodes[node].tensor == *name {
                true => Problem::new(format!("input `{name}` reaches no output")),
                false => Problem::new(format!("`{name}` is never used")),
            };
            let is_rebound = bindings[index + 1..].iter().any(|later| later.name == name);
            let note = if is_rebound { "it is bound again before anything uses it" } else { "" };
            self.errors.push(problem.note(note).help("remove it, or use it on the way to the output").at(name));
        }
    }
}
