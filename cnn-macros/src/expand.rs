//! From the checked network to the Rust code that a person would have written for it.

use crate::ast::Model;
use crate::graph::{Graph, Node, Step};
use cnn_spec::{FromValue, Shape};
use proc_macro2::{Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::Index;

/// The type of the network, what it can do, and its graph as a constant.
pub fn expand(model: &Model, graph: &Graph) -> TokenStream {
    let Model { attrs, vis, name, .. } = model;
    let allow = allow_any_case(graph);
    let doc = model_doc(model, graph);
    let fields = graph.nodes.iter().map(|node| field(graph, node));
    let constructors = constructors();
    let forward = forward(graph);
    let constant = constant(&name.to_string(), graph);
    let build = build(graph);
    let call = call(&name.to_string(), graph);
    let module = (graph.inputs.len() == 1 && graph.outputs.len() == 1).then(|| module(name));
    quote_spanned! {Span::mixed_site()=>
        #(#attrs)*
        #doc
        #allow
        #vis struct #name {
            #(#fields,)*
        }

        #allow
        impl #name {
            #constructors
            #forward
        }

        #allow
        impl ::cnn_runtime::Network for #name {
            #constant
            #build
            #call
        }

        #module
    }
}

/// What builds a network; it needs no more than the `Network` it is.
pub fn constructors() -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        /// A model with fresh weights, every random number of which follows from `seed`.
        ///
        /// # Errors
        /// If the device cannot hold the tensors.
        pub fn new(
            device: &::cnn_runtime::candle_core::Device,
            seed: ::cnn_runtime::Seed,
        ) -> ::cnn_runtime::Result<::cnn_runtime::Model<Self>> {
            ::cnn_runtime::Model::new(device, seed)
        }

        /// The network with the tensors of a candle `VarBuilder`.
        ///
        /// # Errors
        /// If a tensor is missing or has another shape.
        pub fn from_var_builder(
            vb: ::cnn_runtime::candle_nn::VarBuilder<'_>,
        ) -> ::cnn_runtime::candle_core::Result<Self> {
            <Self as ::cnn_runtime::Network>::build(&::cnn_runtime::Weights::from_var_builder(vb))
        }
    }
}

/// candle's own trait, for a network of one input and one output.
pub fn module(name: &Ident) -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        impl ::cnn_runtime::candle_nn::ModuleT for #name {
            fn forward_t(
                &self,
                xs: &::cnn_runtime::candle_core::Tensor,
                train: bool,
            ) -> ::cnn_runtime::candle_core::Result<::cnn_runtime::candle_core::Tensor> {
                self.forward(xs, &::cnn_runtime::Context::module(train))
            }
        }
    }
}

/// Names are the user's to choose, as they would be in Keras.
fn allow_any_case(graph: &Graph) -> Option<TokenStream> {
    let has_capitals = |name: &Ident| name.to_string().contains(char::is_uppercase);
    let any = graph.nodes.iter().any(|node| has_capitals(&node.name) || has_capitals(&node.tensor));
    any.then(|| quote_spanned!(Span::mixed_site()=> #[allow(non_snake_case)]))
}

/// What is known about the whole network, after the user's own words.
fn model_doc(model: &Model, graph: &Graph) -> TokenStream {
    let inputs: Vec<String> = graph.inputs.iter().map(|node| graph.nodes[*node].inferred.shape.to_string()).collect();
    let outputs: Vec<String> = graph.outputs.iter().map(|edge| graph.nodes[edge.node].inferred.shape.to_string()).collect();
    let parameters = graph.nodes.iter().map(|node| node.inferred.parameters.count()).sum();
    let facts = format!("{} → {}, {} parameters.", inputs.join(", "), outputs.join(", "), grouped(parameters));
    let gap = model.attrs.iter().any(|attribute| attribute.path().is_ident("doc")).then(|| doc(""));
    let facts = doc(&facts);
    quote_spanned!(Span::mixed_site()=> #gap #facts)
}

fn field(graph: &Graph, node: &Node) -> TokenStream {
    let Node { name, kind, inputs, inferred, .. } = node;
    let of: Vec<String> = inputs.iter().map(|edge| format!("{} → ", graph.nodes[edge.node].inferred.shape)).collect();
    let parameters = match inferred.parameters.count() {
        0 => String::new(),
        count => format!(", {} parameters", grouped(count)),
    };
    let doc = doc(&format!("`{kind}`: {}{}{parameters}.", of.concat(), inferred.shape));
    quote_spanned!(Span::mixed_site()=> #doc pub #name: ::cnn_runtime::layers::#kind)
}

/// `forward`: the statements of the model.
fn forward(graph: &Graph) -> TokenStream {
    let inputs: Vec<&Ident> = graph.inputs.iter().map(|node| &graph.nodes[*node].tensor).collect();
    let steps = graph.steps.iter().map(|step| match step {
        Step::Apply(node) => apply(graph, *node),
        Step::Alias { name, of } => quote_spanned!(Span::mixed_site()=> let #name = #of.clone();),
    });
    let outputs = graph.outputs.iter().enumerate().map(|(index, output)| {
        let name = &output.tensor;
        let is_needed_again = graph.outputs[index + 1..].iter().any(|later| later.tensor == *name);
        if is_needed_again { quote_spanned!(Span::mixed_site()=> #name.clone()) } else { name.to_token_stream() }
    });
    let tensor = quote_spanned!(Span::mixed_site()=> ::cnn_runtime::candle_core::Tensor);
    let (result, outputs) = match graph.outputs.len() {
        1 => (tensor.clone(), quote_spanned!(Span::mixed_site()=> #(#outputs)*)),
        count => {
            let tensors = vec![&tensor; count];
            (quote_spanned!(Span::mixed_site()=> (#(#tensors),*)), quote_spanned!(Span::mixed_site()=> (#(#outputs),*)))
        }
    };
    let doc = doc(&forward_doc(graph));
    // A second name of an input may be there for `Model(…)` alone.
    let has_aliases = graph.steps.iter().any(|step| matches!(step, Step::Alias { .. }));
    let allow = has_aliases.then(|| quote_spanned!(Span::mixed_site()=> #[allow(unused_variables)]));
    quote_spanned! {Span::mixed_site()=>
        #doc
        ///
        /// # Errors
        /// If a tensor is not a batch of the shape declared.
        #allow
        pub fn forward(
            &self,
            #(#inputs: &#tensor,)*
            cx: &::cnn_runtime::Context,
        ) -> ::cnn_runtime::candle_core::Result<#result> {
            #(#steps)*
            Ok(#outputs)
        }
    }
}

fn forward_doc(graph: &Graph) -> String {
    let tensor = |name: &Ident, node: usize| format!("`{name}` N×{}", graph.nodes[node].inferred.shape);
    let inputs: Vec<String> = graph.inputs.iter().map(|node| tensor(&graph.nodes[*node].tensor, *node)).collect();
    let outputs: Vec<String> = graph.outputs.iter().map(|edge| tensor(&edge.tensor, edge.node)).collect();
    format!("Runs the network on a batch: {} → {}.", inputs.join(", "), outputs.join(", "))
}

/// `let x = self.conv2d.forward(&x, cx)?;`
fn apply(graph: &Graph, index: usize) -> TokenStream {
    let Node { name, tensor, inputs, .. } = &graph.nodes[index];
    let names = inputs.iter().map(|edge| &edge.tensor);
    let inputs = match inputs.as_slice() {
        [] => quote_spanned!(Span::mixed_site()=> #tensor),
        [edge] => {
            let name = &edge.tensor;
            quote_spanned!(Span::mixed_site()=> &#name)
        }
        _ => quote_spanned!(Span::mixed_site()=> &[#(&#names),*]),
    };
    let cx = match graph.is_last(index) {
        true => quote_spanned!(Span::mixed_site()=> &cx.last()),
        false => quote_spanned!(Span::mixed_site()=> cx),
    };
    quote_spanned!(Span::mixed_site()=> let #tensor = self.#name.forward(#inputs, #cx)?;)
}

/// `GRAPH`: the network as data.
fn constant(name: &str, graph: &Graph) -> TokenStream {
    let nodes = graph.nodes.iter().map(|node| {
        let (name, tensor, kind) = (node.name.to_string(), node.tensor.to_string(), &node.kind);
        let (layer, shape) = (layer(node), shape(&node.inferred.shape));
        let inputs = node.inputs.iter().map(|edge| Literal::usize_unsuffixed(edge.node));
        quote_spanned! {Span::mixed_site()=>
            spec::Node { name: #name, tensor: #tensor, layer: spec::Layer::#kind(#layer), inputs: &[#(#inputs),*], shape: #shape, frozen: false }
        }
    });
    let inputs = graph.inputs.iter().map(|node| Literal::usize_unsuffixed(*node));
    let outputs = graph.outputs.iter().map(|edge| Literal::usize_unsuffixed(edge.node));
    quote_spanned! {Span::mixed_site()=>
        const GRAPH: ::cnn_runtime::spec::Graph = {
            use ::cnn_runtime::spec;
            spec::Graph { name: #name, nodes: &[#(#nodes),*], inputs: &[#(#inputs),*], outputs: &[#(#outputs),*] }
        };
    }
}

/// `build`: every layer with its arguments and tensors.
fn build(graph: &Graph) -> TokenStream {
    let fields = graph.nodes.iter().map(|node| {
        let Node { name, kind, inputs, inferred, .. } = node;
        let shapes = inputs.iter().map(|edge| shape(&graph.nodes[edge.node].inferred.shape));
        let input = match inputs.as_slice() {
            [] => shape(&inferred.shape),
            [_] => quote_spanned!(Span::mixed_site()=> #(#shapes)*),
            _ => quote_spanned!(Span::mixed_site()=> &[#(#shapes),*]),
        };
        let (key, layer) = (name.to_string(), layer(node));
        quote_spanned!(Span::mixed_site()=> #name: layers::#kind::build(#layer, #input, &weights.pp(#key))?)
    });
    quote_spanned! {Span::mixed_site()=>
        fn build(weights: &::cnn_runtime::Weights<'_>) -> ::cnn_runtime::candle_core::Result<Self> {
            use ::cnn_runtime::{layers, spec};
            Ok(Self { #(#fields,)* })
        }
    }
}

/// `call`: `forward` for any number of tensors.
fn call(name: &str, graph: &Graph) -> TokenStream {
    let inputs: Vec<&Ident> = graph.inputs.iter().map(|node| &graph.nodes[*node].tensor).collect();
    let noun = if inputs.len() == 1 { "tensor" } else { "tensors" };
    let message = format!("`{name}` takes {} {noun}, found {{}}", inputs.len());
    let run = match graph.outputs.len() {
        1 => quote_spanned!(Span::mixed_site()=> Ok(Vec::from([self.forward(#(#inputs,)* cx)?]))),
        count => {
            let places = (0..count).map(Index::from);
            quote_spanned! {Span::mixed_site()=>
                let outputs = self.forward(#(#inputs,)* cx)?;
                Ok(Vec::from([#(outputs.#places),*]))
            }
        }
    };
    quote_spanned! {Span::mixed_site()=>
        fn call(
            &self,
            inputs: &[::cnn_runtime::candle_core::Tensor],
            cx: &::cnn_runtime::Context,
        ) -> ::cnn_runtime::candle_core::Result<Vec<::cnn_runtime::candle_core::Tensor>> {
            let [#(#inputs),*] = inputs else {
                ::cnn_runtime::candle_core::bail!(#message, inputs.len())
            };
            #run
        }
    }
}

/// The layer as the rule book has it: `spec::layers::Conv2D::new(32, [3, 3]).strides([2, 2])`.
///
/// The name of the layer, its arguments and their values keep their places in the source, so that editors can follow them.
fn layer(node: &Node) -> TokenStream {
    let kind = &node.kind;
    let (mut required, mut methods) = (Vec::new(), Vec::new());
    for setting in node.layer.settings() {
        let written = node.arguments.iter().find(|argument| argument.name == setting.argument);
        let span = |span: fn(&crate::graph::Argument) -> Span| written.map_or_else(Span::mixed_site, span);
        let value = rust(&setting.rust, span(|argument| argument.value));
        if setting.required {
            required.push(value);
        } else {
            let method = Ident::new(setting.argument, span(|argument| argument.label));
            methods.push(quote_spanned!(Span::mixed_site()=> .#method(#value)));
        }
    }
    quote_spanned!(Span::mixed_site()=> spec::layers::#kind::new(#(#required),*) #(#methods)*)
}

fn shape(shape: &Shape) -> TokenStream {
    rust(&shape.to_rust(), Span::mixed_site())
}

/// A value the rule book has written as Rust, at `span`, its types found through `spec`.
fn rust(value: &str, span: Span) -> TokenStream {
    qualified(value.parse().expect("the rule book writes Rust"), span)
}

/// `tokens` at `span`, with `spec::` before every path.
fn qualified(tokens: TokenStream, span: Span) -> TokenStream {
    let mut qualified = TokenStream::new();
    let mut trees = tokens.into_iter().peekable();
    let is_colon = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ':');
    let mut follows_colon = false;
    while let Some(mut tree) = trees.next() {
        let starts_path = matches!(tree, TokenTree::Ident(_)) && !follows_colon && trees.peek().is_some_and(is_colon);
        follows_colon = is_colon(&tree);
        if starts_path {
            qualified.extend(quote_spanned!(Span::mixed_site()=> spec::));
        } else if let TokenTree::Group(group) = &tree {
            tree = Group::new(group.delimiter(), self::qualified(group.stream(), span)).into();
        }
        tree.set_span(if starts_path { Span::mixed_site() } else { span });
        qualified.extend([tree]);
    }
    qualified
}

fn doc(text: &str) -> TokenStream {
    let text = if text.is_empty() { String::new() } else { format!(" {text}") };
    quote_spanned!(Span::mixed_site()=> #[doc = #text])
}

/// `n` with commas between thousands.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).expect("digits are ASCII")).collect();
    groups.join(",")
}
