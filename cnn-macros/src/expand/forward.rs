//! `forward`: the statements of the model. A block that is called several times with the same layers in it is a function.

use super::docs;
use crate::graph::{Block, Described, Graph, Source, Step, out_of_place};
use crate::names::snake;
use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// The method that runs the network.
pub fn forward(graph: &Graph) -> TokenStream {
    let inputs: Vec<&Ident> = graph.inputs.iter().map(|node| &graph.nodes[*node].tensor).collect();
    let mut writer = Writer::new(graph);
    let steps = writer.statements(&all(&graph.steps), &mut Scope::default());
    let functions = writer.functions;
    let outputs = graph.outputs.iter().enumerate().map(|(index, output)| {
        let name = &output.tensor;
        let is_needed_again = graph.outputs[index + 1..].iter().any(|later| later.tensor == *name);
        if is_needed_again { quote_spanned!(Span::mixed_site()=> #name.clone()) } else { name.to_token_stream() }
    });
    let (result, outputs) = (tensors(graph.outputs.len()), tuple(outputs.collect()));
    let doc = docs([documentation(graph)].into_iter());
    // A second name of an input may be there for `Model(…)` alone.
    let has_aliases = graph.steps.iter().any(Step::has_aliases);
    let allow = has_aliases.then(|| quote_spanned!(Span::mixed_site()=> #[allow(unused_variables)]));
    quote_spanned! {Span::mixed_site()=>
        #doc
        ///
        /// # Errors
        /// If a tensor is not a batch of the shape declared.
        #allow
        pub fn forward(
            &self,
            #(#inputs: &::cnn_runtime::candle_core::Tensor,)*
            cx: &::cnn_runtime::Context,
        ) -> ::cnn_runtime::candle_core::Result<#result> {
            #(#functions)*
            #(#steps)*
            Ok(#outputs)
        }
    }
}

fn documentation(graph: &Graph) -> String {
    let tensor = |name: &Ident, node: usize| format!("`{name}` N×{}", cnn_draw::shape(graph.nodes[node].shape));
    let inputs: Vec<String> = graph.inputs.iter().map(|node| tensor(&graph.nodes[*node].tensor, *node)).collect();
    let outputs: Vec<String> = graph.outputs.iter().map(|edge| tensor(&edge.tensor, edge.node)).collect();
    format!("Runs the network on a batch: {} → {}.", inputs.join(", "), outputs.join(", "))
}

/// The type of so many tensors.
fn tensors(count: usize) -> TokenStream {
    tuple(vec![quote_spanned!(Span::mixed_site()=> ::cnn_runtime::candle_core::Tensor); count])
}

fn tuple(elements: Vec<TokenStream>) -> TokenStream {
    match elements.as_slice() {
        [element] => element.clone(),
        elements => quote_spanned!(Span::mixed_site()=> (#(#elements),*)),
    }
}

/// Names and what they are bound to, in order.
type Bindings<'a> = Vec<(&'a [Ident], &'a Source)>;

fn all(steps: &[Step]) -> Bindings<'_> {
    steps.iter().map(|Step { names, value }| (names.as_slice(), value)).collect()
}

/// Whether the next of `bindings` that binds `name` binds it alone; the names of a tuple are declared anew each time.
fn is_assigned<'a>(bindings: impl IntoIterator<Item = &'a (&'a [Ident], &'a Source)>, name: &Ident) -> bool {
    bindings.into_iter().find(|(names, _)| names.contains(name)).is_some_and(|(names, _)| names.len() == 1)
}

/// The names at one point of the code.
#[derive(Clone, Default)]
struct Scope {
    /// In a function, the parameters that hold its layers; else they are fields.
    layers: Option<HashMap<usize, Ident>>,
    /// The tensors that are references.
    borrowed: HashSet<String>,
}

/// Writes statements, and the functions they call.
struct Writer<'a> {
    graph: &'a Graph,
    /// For each call of a block that can be one of a function, the number of its code, and the layers.
    calls: HashMap<usize, (usize, Vec<usize>)>,
    /// How often each code is called.
    counts: Vec<usize>,
    /// The functions so far: the code of the block, and its name.
    names: Vec<(usize, Ident)>,
    functions: Vec<TokenStream>,
}

impl<'a> Writer<'a> {
    fn new(graph: &'a Graph) -> Self {
        let (mut calls, mut counts, mut codes) = (HashMap::new(), Vec::new(), HashMap::new());
        let mut call = |block: &Block| {
            if let Some((code, layers)) = code(graph, block) {
                let number = *codes.entry(code).or_insert(counts.len());
                counts.resize(codes.len(), 0);
                counts[number] += 1;
                calls.insert(block.place, (number, layers));
            }
        };
        graph.steps.iter().for_each(|step| step.value.blocks(&mut call));
        Self { graph, calls, counts, names: Vec::new(), functions: Vec::new() }
    }

    /// The statements of one scope. Calls of one function on what each gives are a loop.
    fn statements(&mut self, bindings: &Bindings, scope: &mut Scope) -> Vec<TokenStream> {
        let mut statements = Vec::new();
        let mut index = 0;
        while index < bindings.len() {
            let repeated = self.repeated(bindings, index);
            statements.push(match repeated.as_slice() {
                [] | [_] => self.statement(bindings, index, scope),
                calls => {
                    let (name, function) = (&bindings[index].0[0], &calls[0].0);
                    let layers = calls.iter().map(|(_, layers)| self.references(layers, scope));
                    quote_spanned! {Span::mixed_site()=>
                        for layers in [#(#layers),*] {
                            #name = #function(&#name, layers, cx)?;
                        }
                    }
                }
            });
            index += repeated.len().max(1);
        }
        statements
    }

    /// The calls from `index` on of one function whose only tensor is the one that its result takes the place of.
    fn repeated(&mut self, bindings: &Bindings, index: usize) -> Vec<(Ident, Vec<usize>)> {
        let mut calls: Vec<(Ident, Vec<usize>)> = Vec::new();
        for (names, value) in &bindings[index..] {
            let ([name], Source::Block(block)) = (*names, *value) else { break };
            let takes_its_place = matches!(block.arguments.as_slice(), [(_, Source::Tensor(of))] if of == name);
            let is_another = bindings[index].0 != *names || !is_assigned(bindings[..index].iter().rev(), name);
            if !takes_its_place || is_another {
                break;
            }
            match self.called(block) {
                Some(call) if calls.first().is_none_or(|(function, _)| *function == call.0) => calls.push(call),
                _ => break,
            }
        }
        calls
    }

    /// One statement. A name that is bound again is assigned to, so that the tensor it had is freed at once.
    fn statement(&mut self, bindings: &Bindings, index: usize, scope: &mut Scope) -> TokenStream {
        let (names, value) = bindings[index];
        let value = match value {
            Source::Tensor(of) => quote_spanned!(Span::mixed_site()=> #of.clone()),
            value => self.value(value, scope),
        };
        names.iter().for_each(|name| _ = scope.borrowed.remove(&name.to_string()));
        let [name] = names else {
            return quote_spanned!(Span::mixed_site()=> let (#(#names),*) = #value;);
        };
        if is_assigned(bindings[..index].iter().rev(), name) {
            return quote_spanned!(Span::mixed_site()=> #name = #value;);
        }
        let mutable = is_assigned(&bindings[index + 1..], name).then(|| quote_spanned!(Span::mixed_site()=> mut));
        quote_spanned!(Span::mixed_site()=> let #mutable #name = #value;)
    }

    /// An expression that gives a tensor, or a tuple of them: `self.add.forward(&[&y, &x], cx)?`.
    fn value(&mut self, value: &Source, scope: &Scope) -> TokenStream {
        if let Some(result) = self.result(value, scope) {
            return quote_spanned!(Span::mixed_site()=> #result?);
        }
        match value {
            Source::Block(block) => self.inlined(block, scope),
            Source::Tensor(name) => name.to_token_stream(),
            Source::Apply { .. } => unreachable!("it is one call"),
        }
    }

    /// An expression that gives a `Result`, if `value` is one call.
    fn result(&mut self, value: &Source, scope: &Scope) -> Option<TokenStream> {
        match value {
            Source::Apply { node, operands } => Some(self.apply(*node, operands, scope)),
            Source::Block(block) => self.call(block, scope),
            Source::Tensor(_) => None,
        }
    }

    /// A reference to a tensor.
    fn reference(&mut self, value: &Source, scope: &Scope) -> TokenStream {
        match value {
            Source::Tensor(name) if scope.borrowed.contains(&name.to_string()) => name.to_token_stream(),
            value => {
                let value = self.value(value, scope);
                quote_spanned!(Span::mixed_site()=> &#value)
            }
        }
    }

    fn apply(&mut self, node: usize, operands: &[Source], scope: &Scope) -> TokenStream {
        let tensor = &self.graph.nodes[node].tensor;
        let described = &self.graph.layer(node).layer;
        let inputs: Vec<TokenStream> = operands.iter().map(|operand| self.reference(operand, scope)).collect();
        let inputs = match inputs.as_slice() {
            [] => tensor.to_token_stream(),
            [input] if !matches!(described, Described::Custom(..)) => input.clone(),
            _ => quote_spanned!(Span::mixed_site()=> &[#(#inputs),*]),
        };
        let cx = match (self.graph.is_last(node), matches!(described, Described::Model)) {
            (true, false) => quote_spanned!(Span::mixed_site()=> &cx.last()),
            (false, true) => quote_spanned!(Span::mixed_site()=> &cx.inner()),
            (false, false) | (true, true) => quote_spanned!(Span::mixed_site()=> cx),
        };
        let layer = self.layer(self.graph.nodes[node].layer, scope);
        let span = match described {
            // A type that is no model is blamed where it is named.
            Described::Model => Span::mixed_site().located_at(self.graph.layer(node).kind.span()),
            _ => Span::mixed_site(),
        };
        let forward = Ident::new("forward", span);
        quote_spanned!(Span::mixed_site()=> #layer.#forward(#inputs, #cx))
    }

    /// Where a layer is found.
    fn layer(&self, layer: usize, scope: &Scope) -> TokenStream {
        match &scope.layers {
            Some(parameters) => parameters[&layer].to_token_stream(),
            None => {
                let field = self.field(layer);
                quote_spanned!(Span::mixed_site()=> self.#field)
            }
        }
    }

    /// The field of a layer, whose declaration alone is to be found in the source.
    fn field(&self, layer: usize) -> Ident {
        out_of_place(&self.graph.name(&self.graph.layers[layer]).field)
    }

    /// The statements of a block in the place of its call.
    fn inlined(&mut self, block: &Block, scope: &Scope) -> TokenStream {
        let mut scope = scope.clone();
        let renamed = block.arguments.iter().filter(|(name, value)| !matches!(value, Source::Tensor(of) if of == name));
        let mut bindings: Bindings = renamed.map(|(name, value)| (std::slice::from_ref(name), value)).collect();
        bindings.extend(all(&block.steps));
        let steps = self.statements(&bindings, &mut scope);
        let values = tuple(self.values(block, &bindings, &scope));
        quote_spanned!(Span::mixed_site()=> { #(#steps)* #values })
    }

    /// What a block gives. A name that it has bound is moved out of it, unless it is needed for a later value.
    fn values(&mut self, block: &Block, bindings: &Bindings, scope: &Scope) -> Vec<TokenStream> {
        let is_moved = |name: &Ident, later: &[Source]| {
            bindings.iter().any(|(names, _)| names.contains(name)) && !later.iter().any(|later| later.mentions(name))
        };
        let value = |(index, value): (usize, &Source)| match value {
            Source::Tensor(name) if is_moved(name, &block.value[index + 1..]) => name.to_token_stream(),
            Source::Tensor(name) => quote_spanned!(Span::mixed_site()=> #name.clone()),
            value => self.value(value, scope),
        };
        block.value.iter().enumerate().map(value).collect()
    }

    /// The call of the function that a block is, if it is one.
    fn call(&mut self, block: &Block, scope: &Scope) -> Option<TokenStream> {
        let (function, layers) = self.called(block)?;
        let tensors: Vec<TokenStream> = block.arguments.iter().map(|(_, value)| self.reference(value, scope)).collect();
        let layers = self.references(&layers, scope);
        Some(quote_spanned!(Span::mixed_site()=> #function(#(#tensors,)* #layers, cx)))
    }

    /// The function that a block is, if it is one, and the layers it is called with.
    fn called(&mut self, block: &Block) -> Option<(Ident, Vec<usize>)> {
        let (code, layers) = self.calls.get(&block.place).filter(|(code, _)| self.counts[*code] > 1)?.clone();
        let function = match self.names.iter().find(|(known, _)| *known == code) {
            Some((_, name)) => name.clone(),
            None => self.function(block, code, &layers),
        };
        Some((function, layers))
    }

    /// References to layers, a tuple of several, put together token by token because there are many.
    fn references(&self, layers: &[usize], scope: &Scope) -> TokenStream {
        let comma = TokenTree::from(Punct::new(',', Spacing::Alone));
        let of_self: Vec<TokenTree> = quote_spanned!(Span::mixed_site()=> &self.).into_iter().collect();
        let mut references = TokenStream::new();
        for (index, layer) in layers.iter().enumerate() {
            references.extend((index > 0).then(|| comma.clone()));
            match &scope.layers {
                Some(parameters) => references.extend([TokenTree::from(parameters[layer].clone())]),
                None => references.extend(of_self.iter().cloned().chain([self.field(*layer).into()])),
            }
        }
        if layers.len() == 1 { references } else { TokenTree::from(Group::new(Delimiter::Parenthesis, references)).into() }
    }

    /// Writes the function of a block, which takes its tensors and its layers; its name.
    fn function(&mut self, block: &Block, code: usize, layers: &[usize]) -> Ident {
        let parameters = self.parameters(block, layers);
        let types = layers.iter().map(|layer| self.graph.layers[*layer].ty());
        let types = tuple(types.map(|ty| quote_spanned!(Span::mixed_site()=> &#ty)).collect());
        let inputs: Vec<&Ident> = block.arguments.iter().map(|(name, _)| name).collect();
        let mut scope = Scope {
            layers: Some(layers.iter().copied().zip(parameters.iter().cloned()).collect()),
            borrowed: inputs.iter().map(ToString::to_string).collect(),
        };
        let bindings = all(&block.steps);
        let steps = self.statements(&bindings, &mut scope);
        let value = match block.value.as_slice() {
            [value] => self.result(value, &scope),
            _ => None,
        };
        let value = value.unwrap_or_else(|| {
            let values = tuple(self.values(block, &bindings, &scope));
            quote_spanned!(Span::mixed_site()=> Ok(#values))
        });
        let name = self.free_name(block);
        let result = tensors(block.value.len());
        let many = (inputs.len() > 5).then(|| quote_spanned!(Span::mixed_site()=> #[allow(clippy::too_many_arguments)]));
        let parameters = tuple(parameters.iter().map(ToTokens::to_token_stream).collect());
        self.functions.push(quote_spanned! {Span::mixed_site()=>
            #many
            fn #name(
                #(#inputs: &::cnn_runtime::candle_core::Tensor,)*
                #parameters: #types,
                cx: &::cnn_runtime::Context,
            ) -> ::cnn_runtime::candle_core::Result<#result> {
                #(#steps)*
                #value
            }
        });
        self.names.push((code, name.clone()));
        name
    }

    /// What the layers of a block are called in it.
    fn parameters(&self, block: &Block, layers: &[usize]) -> Vec<Ident> {
        let mut taken = HashSet::from(["cx".to_string()]);
        block.arguments.iter().for_each(|(name, _)| _ = taken.insert(name.to_string()));
        block.steps.iter().flat_map(|step| &step.names).for_each(|name| _ = taken.insert(name.to_string()));
        let within = format!("{}.", self.graph.names[block.place].path);
        let parameter = |layer: &usize| {
            let name = self.graph.name(&self.graph.layers[*layer]);
            let mut own = name.path.strip_prefix(&within).unwrap_or(&name.path).replace('.', "_");
            while !taken.insert(own.clone()) {
                own.push('_');
            }
            Ident::new(&own, name.field.span())
        };
        layers.iter().map(parameter).collect()
    }

    fn free_name(&self, block: &Block) -> Ident {
        let name = snake(&block.name.to_string());
        let is_taken = |name: &String| self.names.iter().any(|(_, taken)| taken == name);
        let mut numbered = (2..).map(|count| format!("{name}_{count}"));
        let free = if is_taken(&name) { numbered.find(|name| !is_taken(name)) } else { None };
        Ident::new(&free.unwrap_or(name), Span::mixed_site())
    }
}

/// What a block does, the same for blocks that can be one function, and the layers it does it with.
///
/// `None` if it cannot be a function: an input of the network is in it, or it is applied to more than names, which a
/// function would keep until it returns.
fn code(graph: &Graph, block: &Block) -> Option<(String, Vec<usize>)> {
    let is_name = |(_, value): &(Ident, Source)| matches!(value, Source::Tensor(_));
    block.arguments.iter().all(is_name).then_some(())?;
    let mut reader = Reader { graph, code: String::new(), layers: Vec::new(), has_input: false };
    _ = write!(reader.code, "{}", block.name);
    block.arguments.iter().for_each(|(name, _)| reader.names(std::slice::from_ref(name)));
    reader.block(block);
    (!reader.has_input).then_some((reader.code, reader.layers))
}

/// Writes down what statements do, whatever their layers are called.
struct Reader<'a> {
    graph: &'a Graph,
    code: String,
    layers: Vec<usize>,
    has_input: bool,
}

impl Reader<'_> {
    fn names(&mut self, names: &[Ident]) {
        names.iter().for_each(|name| _ = write!(self.code, " {name}"));
        self.code.push('=');
    }

    fn block(&mut self, block: &Block) {
        for Step { names, value } in &block.steps {
            self.names(names);
            self.value(value);
        }
        block.value.iter().for_each(|value| self.value(value));
    }

    fn value(&mut self, value: &Source) {
        match value {
            Source::Tensor(name) => _ = write!(self.code, " {name}"),
            Source::Apply { node, operands } => {
                self.code.push('(');
                operands.iter().for_each(|operand| self.value(operand));
                self.has_input |= operands.is_empty();
                let (layer, is_last) = (self.graph.nodes[*node].layer, self.graph.is_last(*node));
                let place = self.layers.iter().position(|known| *known == layer).unwrap_or_else(|| {
                    self.layers.push(layer);
                    self.layers.len() - 1
                });
                let end = if is_last { " last" } else { "" };
                _ = write!(self.code, "){}{place}{end}", self.graph.layers[layer].kind);
            }
            Source::Block(block) => {
                self.code.push('{');
                for (name, value) in &block.arguments {
                    self.names(std::slice::from_ref(name));
                    self.value(value);
                }
                self.block(block);
                self.code.push('}');
            }
        }
    }
}
