//! From the checked network to the Rust code that a person would have written for it.

mod checks;

use crate::ast::Model;
use crate::document::document;
use crate::graph::{Constants, Described, Graph, Layer, Source, Step};
use cnn_draw::grouped;
use cnn_spec::{FromValue, Shape};
use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::Index;

/// The type of the network, what it can do, and its graph as a constant.
pub fn expand(model: &Model, graph: &Graph) -> TokenStream {
    let Model { attrs, vis, name, generics, .. } = model;
    let (parameters, arguments, _) = generics.split_for_impl();
    let allow = allow_any_case(graph);
    let has_words = attrs.iter().any(|attribute| attribute.path().is_ident("doc"));
    let doc = document(&name.to_string(), graph, has_words);
    let fields = graph.layers.iter().map(|layer| field(graph, layer));
    let constructors = constructors();
    let forward = forward(graph);
    let (constant, constants) = (constant(model, graph), checks::constants(model, graph));
    let checks = checks::free_checks(model, graph);
    let build = build(graph);
    let call = call(&name.to_string(), graph);
    let module = (graph.inputs.len() == 1 && graph.outputs.len() == 1).then(|| module(model));
    quote_spanned! {Span::mixed_site()=>
        #(#attrs)*
        #doc
        #allow
        #vis struct #name #generics {
            #(#fields,)*
        }

        #allow
        impl #parameters #name #arguments {
            #constructors
            #forward
            #constants
        }

        #allow
        impl #parameters ::cnn_runtime::Network for #name #arguments {
            #constant
            #build
            #call
        }

        #module
        #checks
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
pub fn module(Model { name, generics, .. }: &Model) -> TokenStream {
    let (parameters, arguments, _) = generics.split_for_impl();
    quote_spanned! {Span::mixed_site()=>
        impl #parameters ::cnn_runtime::candle_nn::ModuleT for #name #arguments {
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
    let any = graph.nodes.iter().any(|node| has_capitals(&node.tensor))
        || graph.layers.iter().any(|layer| has_capitals(&graph.name(layer).field));
    any.then(|| quote_spanned!(Span::mixed_site()=> #[allow(non_snake_case)]))
}

fn field(graph: &Graph, layer: &Layer) -> TokenStream {
    let Layer { kind, inputs, inferred, layer: described, .. } = layer;
    let shown = layer.kind();
    let name = graph.name(layer);
    let path = if name.field == name.path { String::new() } else { format!("`{}`, ", name.path) };
    let of: Vec<String> = inputs.iter().flatten().map(Shape::to_string).collect();
    let of = if of.is_empty() { String::new() } else { format!("{} → ", of.join(", ")) };
    let parameters = match inferred.map(|inferred| inferred.parameters.count()) {
        None | Some(0) => String::new(),
        Some(count) => format!(", {} parameters", grouped(count)),
    };
    let facts = inferred.map_or_else(String::new, |inferred| format!(": {of}{}{parameters}", inferred.shape));
    let doc = doc(&format!("{path}`{shown}`{facts}."));
    let field = &name.field;
    match described {
        Described::Model => quote_spanned!(Span::mixed_site()=> #doc pub #field: #kind),
        _ => quote_spanned!(Span::mixed_site()=> #doc pub #field: ::cnn_runtime::layers::#kind),
    }
}

/// `forward`: the statements of the model.
fn forward(graph: &Graph) -> TokenStream {
    let inputs: Vec<&Ident> = graph.inputs.iter().map(|node| &graph.nodes[*node].tensor).collect();
    let steps = statements(graph, &graph.steps);
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
            #(#inputs: &#tensor,)*
            cx: &::cnn_runtime::Context,
        ) -> ::cnn_runtime::candle_core::Result<#result> {
            #(#steps)*
            Ok(#outputs)
        }
    }
}

fn forward_doc(graph: &Graph) -> String {
    let tensor = |name: &Ident, node: usize| format!("`{name}` N×{}", cnn_draw::shape(graph.nodes[node].shape));
    let inputs: Vec<String> = graph.inputs.iter().map(|node| tensor(&graph.nodes[*node].tensor, *node)).collect();
    let outputs: Vec<String> = graph.outputs.iter().map(|edge| tensor(&edge.tensor, edge.node)).collect();
    format!("Runs the network on a batch: {} → {}.", inputs.join(", "), outputs.join(", "))
}

/// The statements of one scope. A name that is bound again is assigned to, so that the tensor it had is freed at once.
fn statements(graph: &Graph, steps: &[Step]) -> Vec<TokenStream> {
    let statement = |(index, Step { names, value }): (usize, &Step)| {
        let value = match value {
            Source::Tensor(of) => quote_spanned!(Span::mixed_site()=> #of.clone()),
            value => source(graph, value),
        };
        let [name] = names.as_slice() else {
            return quote_spanned!(Span::mixed_site()=> let (#(#names),*) = #value;);
        };
        // The names of a tuple are declared anew each time.
        let binds_it = |step: &&Step| step.names.contains(name);
        let is_alone = |step: Option<&Step>| step.is_some_and(|step| step.names.len() == 1);
        if is_alone(steps[..index].iter().rev().find(binds_it)) {
            return quote_spanned!(Span::mixed_site()=> #name = #value;);
        }
        let mutable = is_alone(steps[index + 1..].iter().find(binds_it)).then(|| quote_spanned!(Span::mixed_site()=> mut));
        quote_spanned!(Span::mixed_site()=> let #mutable #name = #value;)
    };
    steps.iter().enumerate().map(statement).collect()
}

/// An expression that gives a tensor, or a tuple of them: `self.add.forward(&[&y, &x], cx)?`.
fn source(graph: &Graph, value: &Source) -> TokenStream {
    match value {
        Source::Tensor(name) => name.to_token_stream(),
        Source::Apply { node, operands } => apply(graph, *node, operands),
        Source::Block { steps, value } => {
            let values = value.iter().enumerate().map(|(index, tensor)| match tensor {
                Source::Tensor(name) if is_moved(name, steps, &value[index + 1..]) => name.to_token_stream(),
                Source::Tensor(name) => quote_spanned!(Span::mixed_site()=> #name.clone()),
                value => source(graph, value),
            });
            let steps = statements(graph, steps);
            match value.len() {
                1 => quote_spanned!(Span::mixed_site()=> { #(#steps)* #(#values)* }),
                _ => quote_spanned!(Span::mixed_site()=> { #(#steps)* (#(#values),*) }),
            }
        }
    }
}

/// Whether the value of a block may take `name` out of it: it is bound there, and not needed for a later value.
fn is_moved(name: &Ident, steps: &[Step], later: &[Source]) -> bool {
    steps.iter().any(|step| step.names.contains(name)) && !later.iter().any(|later| later.mentions(name))
}

fn apply(graph: &Graph, node: usize, operands: &[Source]) -> TokenStream {
    let (field, tensor) = (&graph.name(graph.layer(node)).field, &graph.nodes[node].tensor);
    let values = operands.iter().map(|operand| source(graph, operand));
    let is_custom = matches!(graph.layer(node).layer, Described::Custom(..));
    let inputs = match operands {
        [] => quote_spanned!(Span::mixed_site()=> #tensor),
        [_] if !is_custom => quote_spanned!(Span::mixed_site()=> #(&#values)*),
        _ => quote_spanned!(Span::mixed_site()=> &[#(&#values),*]),
    };
    let is_model = matches!(graph.layer(node).layer, Described::Model);
    let cx = match (graph.is_last(node), is_model) {
        (true, false) => quote_spanned!(Span::mixed_site()=> &cx.last()),
        (false, true) => quote_spanned!(Span::mixed_site()=> &cx.inner()),
        (false, false) | (true, true) => quote_spanned!(Span::mixed_site()=> cx),
    };
    quote_spanned!(Span::mixed_site()=> self.#field.forward(#inputs, #cx)?)
}

/// `GRAPH`: the network as data.
fn constant(model: &Model, graph: &Graph) -> TokenStream {
    let (name, required) = (model.name.to_string(), checks::required(model, graph));
    let nodes = graph.nodes.iter().enumerate().map(|(index, node)| {
        let applied = &graph.layers[node.layer];
        let (name, tensor, frozen) = (&graph.name(applied).path, node.tensor.to_string(), applied.frozen);
        let (layer, shape) = (checks::described(graph, index), checks::shape_of(graph, index));
        let inputs = node.inputs.iter().map(|input| Literal::usize_unsuffixed(*input));
        quote_spanned! {Span::mixed_site()=>
            spec::Node { name: #name, tensor: #tensor, layer: #layer, inputs: &[#(#inputs),*], shape: #shape, frozen: #frozen }
        }
    });
    let inputs = graph.inputs.iter().map(|node| Literal::usize_unsuffixed(*node));
    let outputs = graph.outputs.iter().map(|edge| Literal::usize_unsuffixed(edge.node));
    quote_spanned! {Span::mixed_site()=>
        const GRAPH: ::cnn_runtime::spec::Graph = {
            use ::cnn_runtime::spec;
            #required
            spec::Graph { name: #name, nodes: &[#(#nodes),*], inputs: &[#(#inputs),*], outputs: &[#(#outputs),*] }
        };
    }
}

/// `build`: every layer as its first node describes it.
///
/// Each is bound before they are put together: in a struct expression, the code that frees what is there when a layer
/// fails grows with the square of their number.
fn build(graph: &Graph) -> TokenStream {
    let layer = |(index, layer): (usize, &Layer)| {
        let first = graph.nodes.iter().position(|node| node.layer == index).expect("a layer is listed once it is applied");
        let (field, first) = (&graph.name(layer).field, Literal::usize_unsuffixed(first));
        match &layer.layer {
            Described::Custom(..) => {
                quote_spanned!(Span::mixed_site()=> let #field = layers::Custom::build(#field, &graph, #first, weights)?;)
            }
            Described::Model => {
                let kind = &layer.kind;
                quote_spanned!(Span::mixed_site()=> let #field = layers::build::<#kind>(&graph, #first, weights)?;)
            }
            _ => {
                let kind = &layer.kind;
                quote_spanned!(Span::mixed_site()=> let #field = layers::build::<layers::#kind>(&graph, #first, weights)?;)
            }
        }
    };
    let layers = graph.layers.iter().enumerate().map(layer);
    let fields = graph.layers.iter().map(|layer| &graph.name(layer).field);
    let network = quote_spanned! {Span::mixed_site()=>
        use ::cnn_runtime::layers;
        let graph = Self::GRAPH;
        #(#layers)*
        Ok(Self { #(#fields),* })
    };
    // What the user wrote sees no name of ours.
    let own: Vec<TokenStream> = graph.layers.iter().filter_map(|layer| own(graph, layer)).collect();
    let network = if own.is_empty() { network } else { quote_spanned!(Span::mixed_site()=> #(#own)* { #network }) };
    quote_spanned! {Span::mixed_site()=>
        fn build(weights: &::cnn_runtime::Weights<'_>) -> ::cnn_runtime::candle_core::Result<Self> {
            #network
        }
    }
}

/// A layer of the user's own, before it has tensors.
fn own(graph: &Graph, layer: &Layer) -> Option<TokenStream> {
    let Described::Custom(_, value) = &layer.layer else { return None };
    let field = &graph.name(layer).field;
    let spans: Vec<Span> = value.clone().into_iter().map(|token| token.span()).collect();
    let (first, last) = (*spans.first()?, *spans.last()?);
    let keyword = quote_spanned!(first=> const);
    let mut block = Group::new(Delimiter::Brace, value.clone());
    block.set_span(last);
    let block = TokenTree::from(block);
    Some(quote_spanned!(Span::mixed_site()=> let #field = ::cnn_runtime::layers::own(#keyword #block);))
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

/// The layer as the rule book has it: `spec::Layer::Conv2D(spec::layers::Conv2D::new(32, [3, 3]).strides([2, 2]))`.
///
/// The name of the layer, its arguments and their values keep their places in the source, so that editors can follow them.
fn layer(layer: &Layer) -> TokenStream {
    let kind = &layer.kind;
    let no_constants = Constants::new();
    let (settings, constants) = match &layer.layer {
        Described::Known(layer) => (layer.settings(), &no_constants),
        Described::Constants(settings, constants) => (settings.clone(), constants),
        Described::Model => {
            return quote_spanned!(Span::mixed_site()=> spec::Layer::Model(&<#kind as ::cnn_runtime::Network>::GRAPH));
        }
        Described::Custom(..) => unreachable!("what its rule infers differs from node to node"),
    };
    let (mut required, mut methods) = (Vec::new(), Vec::new());
    for setting in settings {
        let written = layer.arguments.iter().find(|argument| argument.name == setting.argument);
        let span = |span: fn(&crate::graph::Argument) -> Span| written.map_or_else(Span::mixed_site, span);
        let value = rust(&setting.rust, span(|argument| argument.value), constants);
        if setting.required {
            required.push(value);
        } else {
            let method = Ident::new(setting.argument, span(|argument| argument.label));
            methods.push(quote_spanned!(Span::mixed_site()=> .#method(#value)));
        }
    }
    quote_spanned!(Span::mixed_site()=> spec::Layer::#kind(spec::layers::#kind::new(#(#required),*) #(#methods)*))
}

fn shape(shape: &Shape) -> TokenStream {
    rust(&shape.to_rust(), Span::mixed_site(), &Constants::new())
}

/// A value the rule book has written as Rust, at `span`, its types found through `spec`, with the constants in their places.
fn rust(value: &str, span: Span, constants: &Constants) -> TokenStream {
    qualified(value.parse().expect("the rule book writes Rust"), span, constants)
}

/// `tokens` at `span`, with `spec::` before every path.
fn qualified(tokens: TokenStream, span: Span, constants: &Constants) -> TokenStream {
    let mut qualified = TokenStream::new();
    let mut trees = tokens.into_iter().peekable();
    let is_colon = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ':');
    let mut follows_colon = false;
    while let Some(mut tree) = trees.next() {
        if let Some((_, constant)) = constants.iter().find(|(name, _)| matches!(&tree, TokenTree::Ident(ident) if ident == name))
        {
            match constant.clone().into_iter().count() {
                1 => qualified.extend(constant.clone()),
                _ => qualified.extend([TokenTree::from(Group::new(Delimiter::Parenthesis, constant.clone()))]),
            }
            follows_colon = false;
            continue;
        }
        let starts_path = matches!(tree, TokenTree::Ident(_)) && !follows_colon && trees.peek().is_some_and(is_colon);
        follows_colon = is_colon(&tree);
        if starts_path {
            qualified.extend(quote_spanned!(Span::mixed_site()=> spec::));
        } else if let TokenTree::Group(group) = &tree {
            tree = Group::new(group.delimiter(), self::qualified(group.stream(), span, constants)).into();
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
