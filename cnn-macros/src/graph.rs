//! The checked network: its layers with their arguments, where they are applied and to what, and where in the source each
//! came from.

use crate::names::Name;
use cnn_spec::{self as spec, Inferred, Operand, Shape};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use spec::{Setting, rules};
use std::rc::Rc;
use syn::Ident;

/// A network without mistakes, its nodes in an order in which each comes after its inputs.
pub struct Graph {
    /// What layers are called.
    pub names: Vec<Name>,
    pub layers: Vec<Layer>,
    pub nodes: Vec<Node>,
    /// What `forward` does, in order.
    pub steps: Vec<Step>,
    /// The nodes where tensors enter.
    pub inputs: Vec<usize>,
    /// The tensors that leave.
    pub outputs: Vec<Edge>,
}

/// One layer, which may be applied several times.
pub struct Layer {
    /// Its place among the names.
    pub name: usize,
    /// The layer's name as written.
    pub kind: Ident,
    /// Which call in the source it comes from; those in blocks and loops make several.
    pub call: usize,
    pub layer: Described,
    /// The arguments that were given.
    pub arguments: Rc<[Argument]>,
    /// The shapes it is built for, those of its first inputs, if the macro knows them.
    pub inputs: Option<Vec<Shape>>,
    /// What follows from them, if the macro knows it.
    pub inferred: Option<Inferred>,
    /// Whether training leaves it as it is.
    pub frozen: bool,
}

/// A layer, as far as the macro knows it.
#[derive(Clone)]
pub enum Described {
    Known(Box<spec::Layer>),
    /// The arguments that were given, in some of which constants stand for numbers.
    Constants(Vec<Setting>, Constants),
    /// Another model, by its type.
    Model,
    /// A layer of the user's own: what it is called, and the expression that makes it.
    Custom(String, TokenStream),
}

/// Identifiers, and the constant expressions they stand for.
pub type Constants = Vec<(String, TokenStream)>;

impl Described {
    /// The layer, if all of it is known.
    pub fn known(&self) -> Option<&spec::Layer> {
        match self {
            Described::Known(layer) => Some(layer),
            _ => None,
        }
    }
}

/// What the compiler is to check of a node, because the macro cannot.
pub struct Check {
    /// What each input is called in messages.
    pub labels: Vec<String>,
    /// The tokens that each argument or input was written with.
    pub blamed: Vec<(Blamed, TokenStream)>,
    /// The tokens for everything else.
    pub otherwise: TokenStream,
    /// Where it happens, when the tokens alone do not say.
    pub place: String,
    /// The node that gave the layer its weights, and what its input is called.
    pub first: Option<(usize, String)>,
    /// The shapes that are stated of its output, and by which name; none for a question.
    pub stated: Vec<(String, Option<Stated>)>,
}

/// A shape as Rust source, and the constants in it.
pub struct Stated {
    pub source: String,
    pub constants: Constants,
}

/// What an error may be about.
pub enum Blamed {
    Argument(String),
    Element(&'static str, usize),
    Input(usize),
    Inputs,
    Stated,
}

/// One application of a layer.
pub struct Node {
    /// Its layer's place among [`Graph::layers`].
    pub layer: usize,
    /// The tensor it is bound to.
    pub tensor: Ident,
    /// The nodes it is applied to.
    pub inputs: Vec<usize>,
    /// The shape of its output, if the macro knows it; if not, there is a check.
    pub shape: Option<Shape>,
    pub check: Option<Check>,
}

/// Where an argument was written.
#[derive(Clone)]
pub struct Argument {
    pub name: &'static str,
    /// The token that says which argument it is.
    pub label: Span,
    /// The first token of its value.
    pub value: Span,
}

/// A tensor where it is used.
pub struct Edge {
    /// The node that gives it.
    pub node: usize,
    /// The name it is used by.
    pub tensor: Ident,
}

/// One statement: names, and what they are bound to.
pub struct Step {
    pub names: Vec<Ident>,
    pub value: Source,
}

/// Where tensors come from.
pub enum Source {
    Tensor(Ident),
    /// The layer of a node applied to tensors, none for an input.
    Apply {
        node: usize,
        operands: Vec<Source>,
    },
    Block(Block),
}

/// One call of a block.
pub struct Block {
    /// What the block is called.
    pub name: Ident,
    /// The place of the call among the names.
    pub place: usize,
    /// What its tensors stand for.
    pub arguments: Vec<(Ident, Source)>,
    pub steps: Vec<Step>,
    /// What it gives.
    pub value: Vec<Source>,
}

impl Layer {
    /// What kind of layer it is: `Conv2D`, or the type of another model or of the user's own layer.
    pub fn kind(&self) -> String {
        match &self.layer {
            Described::Custom(name, _) => name.clone(),
            _ => self.kind.to_string(),
        }
    }

    /// Its type.
    pub fn ty(&self) -> TokenStream {
        let kind = self.of_runtime();
        match self.layer {
            Described::Model => kind.to_token_stream(),
            _ => quote_spanned!(Span::mixed_site()=> ::cnn_runtime::layers::#kind),
        }
    }

    /// Its type's name: without a place in the source, unless it is the user's own, which may not exist.
    pub fn of_runtime(&self) -> Ident {
        match self.layer {
            Described::Model => self.kind.clone(),
            _ => out_of_place(&self.kind),
        }
    }
}

/// `name` without its place in the source, where editors then find only the others that have it.
pub fn out_of_place(name: &Ident) -> Ident {
    let mut name = name.clone();
    name.set_span(Span::mixed_site());
    name
}

impl Graph {
    /// The layer that `node` applies.
    pub fn layer(&self, node: usize) -> &Layer {
        &self.layers[self.nodes[node].layer]
    }

    /// What `layer` is called.
    pub fn name(&self, layer: &Layer) -> &Name {
        &self.names[layer.name]
    }

    /// Whether the output of `node` is one of the network's and nothing else.
    pub fn is_last(&self, node: usize) -> bool {
        let feeds_a_layer = || self.nodes.iter().any(|other| other.inputs.contains(&node));
        self.outputs.iter().any(|output| output.node == node) && !feeds_a_layer()
    }

    /// The smallest inputs it accepts, if some of their sizes are open and the macro knows all else.
    pub fn smallest_input(&self) -> Option<Vec<Shape>> {
        let declared: Vec<Shape> = self.inputs.iter().map(|input| self.nodes[*input].shape).collect::<Option<_>>()?;
        self.layers.iter().all(|layer| layer.layer.known().is_some()).then_some(())?;
        spec::smallest(&declared, |inputs| self.accepts(inputs))
    }

    /// Whether inputs of these shapes go all the way through.
    fn accepts(&self, inputs: &[Shape]) -> bool {
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            if let Some(input) = self.inputs.iter().position(|input| *input == index) {
                shapes.push(inputs[input]);
                continue;
            }
            let operands: Vec<Operand> = node.inputs.iter().map(|input| Operand::new("", shapes[*input])).collect();
            match self.layer(index).layer.known().map(|layer| layer.infer(&operands)) {
                Some(Ok(inferred)) => shapes.push(inferred.shape),
                _ => return false,
            }
        }
        true
    }

    /// How many values the network trains or could train, if the macro knows.
    pub fn count_parameters(&self) -> Option<u64> {
        rules::total(self.layers.iter().map(|layer| Some(layer.inferred?.parameters.count())))
    }
}

impl Step {
    /// Whether it, or one inside it, gives a tensor another name.
    pub fn has_aliases(&self) -> bool {
        matches!(self.value, Source::Tensor(_)) || self.value.has_aliases()
    }
}

impl Source {
    fn has_aliases(&self) -> bool {
        match self {
            Source::Tensor(_) => false,
            Source::Apply { operands, .. } => operands.iter().any(Source::has_aliases),
            Source::Block(Block { arguments, steps, value, .. }) => {
                let is_alias = |(name, value): &(Ident, Source)| matches!(value, Source::Tensor(of) if of != name);
                arguments.iter().any(is_alias)
                    || steps.iter().any(Step::has_aliases)
                    || arguments.iter().map(|(_, value)| value).chain(value).any(Source::has_aliases)
            }
        }
    }

    /// Whether it uses the tensor `name` of the scope it stands in.
    pub fn mentions(&self, name: &Ident) -> bool {
        match self {
            Source::Tensor(tensor) => tensor == name,
            Source::Apply { operands, .. } => operands.iter().any(|operand| operand.mentions(name)),
            Source::Block(Block { arguments, steps, value, .. }) => {
                let sources = steps.iter().map(|step| &step.value).chain(arguments.iter().map(|(_, value)| value)).chain(value);
                sources.into_iter().any(|value| value.mentions(name))
            }
        }
    }

    /// Shows every block in it to `see`.
    pub fn blocks(&self, see: &mut impl FnMut(&Block)) {
        match self {
            Source::Tensor(_) => {}
            Source::Apply { operands, .. } => operands.iter().for_each(|operand| operand.blocks(see)),
            Source::Block(block) => {
                see(block);
                block.arguments.iter().for_each(|(_, value)| value.blocks(see));
                block.steps.iter().map(|step| &step.value).chain(&block.value).for_each(|value| value.blocks(see));
            }
        }
    }
}
