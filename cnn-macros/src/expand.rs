//! From the checked network to the Rust code that a person would have written for it.

mod build;
mod checks;
mod constant;
mod forward;

use crate::ast::Model;
use crate::document::document;
use crate::graph::{Constants, Described, Graph, Layer};
use cnn_draw::grouped;
use cnn_spec::{FromValue, Inferred, Shape};
use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::Index;

/// The type of the network, what it can do, and its graph as a constant.
pub fn expand(model: &Model, graph: &Graph) -> TokenStream {
    let Model { attrs, vis, name, generics, .. } = model;
    let (parameters, arguments, _) = generics.split_for_impl();
    let allow = allow_any_case(graph);
    let has_words = attrs.iter().any(|attribute| attribute.path().is_ident("doc"));
    let doc = document(&name.to_string(), graph, has_words);
    let fields = fields(graph);
    let constructors = constructors(&checks::required(model, graph));
    let forward = forward::forward(graph);
    let (constant, constants) = (constant::constant(model, graph), checks::constants(model, graph));
    let checks = checks::free_checks(model, graph);
    let build = build::build(graph);
    let call = call(&name.to_string(), graph);
    let module = (graph.inputs.len() == 1 && graph.outputs.len() == 1).then(|| module(model));
    quote_spanned! {Span::mixed_site()=>
        #(#attrs)*
        #doc
        #allow
        #vis struct #name #generics {
            #fields
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

/// What builds a network, which needs no more than the `Network` it is; `required` is what the compiler evaluates first.
pub fn constructors(required: &TokenStream) -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        /// A model with fresh weights, every random number of which follows from `seed`.
        ///
        /// # Errors
        /// If the device cannot hold the tensors.
        pub fn new(
            device: &::cnn_runtime::candle_core::Device,
            seed: ::cnn_runtime::Seed,
        ) -> ::cnn_runtime::Result<::cnn_runtime::Model<Self>> {
            #required
            ::cnn_runtime::Model::new(device, seed)
        }

        /// The network with the tensors of a candle `VarBuilder`.
        ///
        /// # Errors
        /// If a tensor is missing or has another shape.
        pub fn from_var_builder(
            vb: ::cnn_runtime::candle_nn::VarBuilder<'_>,
        ) -> ::cnn_runtime::candle_core::Result<Self> {
            #required
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
    let has_capitals = |name: &str| name.to_lowercase() != name;
    let any = graph.nodes.iter().any(|node| has_capitals(&node.tensor.to_string()))
        || graph.layers.iter().any(|layer| has_capitals(&graph.name(layer).path));
    any.then(|| quote_spanned!(Span::mixed_site()=> #[allow(non_snake_case)]))
}

/// A field for each layer.
///
/// They are put together token by token: there are many, and `quote!` takes its time where nothing is optimised.
fn fields(graph: &Graph) -> TokenStream {
    let public = TokenTree::from(Ident::new("pub", Span::mixed_site()));
    let [colon, comma] = [':', ','].map(|punct| TokenTree::from(Punct::new(punct, Spacing::Alone)));
    let module: Vec<TokenTree> = quote_spanned!(Span::mixed_site()=> ::cnn_runtime::layers::).into_iter().collect();
    let mut docs = docs(graph.layers.iter().map(|layer| facts(graph, layer))).into_iter();
    let mut fields = TokenStream::new();
    for layer in &graph.layers {
        let module = if matches!(layer.layer, Described::Model) { &[] } else { module.as_slice() };
        fields.extend(docs.by_ref().take(2));
        fields.extend([public.clone(), graph.name(layer).field.clone().into(), colon.clone()]);
        fields.extend(module.iter().cloned().chain([layer.of_runtime().into(), comma.clone()]));
    }
    fields
}

/// What the documentation of a field says: `` `stem.conv2d`, `Conv2D`: 28×28×1 → 13×13×32, 320 parameters. ``
fn facts(graph: &Graph, layer: &Layer) -> String {
    let Layer { inputs, inferred, .. } = layer;
    let name = graph.name(layer);
    let mut facts = if name.field == name.path { String::new() } else { format!("`{}`, ", name.path) };
    facts.extend(["`", &layer.kind(), "`"]);
    if let Some(Inferred { shape, parameters, .. }) = inferred {
        let of: Vec<String> = inputs.iter().flatten().map(Shape::to_string).collect();
        facts.extend([": ", &of.join(", "), if of.is_empty() { "" } else { " → " }, &shape.to_string()]);
        if parameters.count() > 0 {
            facts.extend([", ", &grouped(parameters.count()), " parameters"]);
        }
    }
    facts + "."
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
/// The name of the layer, its arguments and their values keep their places in the source, so that editors can follow them: the
/// name here alone, as editors show everything that stands there.
fn layer(layer: &Layer) -> TokenStream {
    let (kind, variant) = (&layer.kind, layer.of_runtime());
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
    quote_spanned!(Span::mixed_site()=> spec::Layer::#variant(spec::layers::#kind::new(#(#required),*) #(#methods)*))
}

fn shape(shape: &Shape) -> TokenStream {
    rust(&shape.to_rust(), Span::mixed_site(), &Constants::new())
}

/// A value the rule book has written as Rust, at `span`, its types found through `spec`, with the constants in their places.
fn rust(value: &str, span: Span, constants: &Constants) -> TokenStream {
    qualified(code(value), span, constants)
}

/// The tokens of Rust source that is known to be right, which the compiler reads itself where there is one.
fn code(source: &str) -> TokenStream {
    const RIGHT: &str = "the macro and the rule book write Rust";
    match proc_macro::is_available() {
        true => source.parse::<proc_macro::TokenStream>().expect(RIGHT).into(),
        false => source.parse().expect(RIGHT),
    }
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

/// A line of documentation each: the tokens `#` and `[doc = "…"]`. As text, they are not comments, of which rust-analyzer
/// keeps a slash.
pub fn docs(lines: impl Iterator<Item = String>) -> TokenStream {
    let comment = |line: String| match line.is_empty() {
        true => "#[doc=\"\"]".to_string(),
        false => format!("#[doc={:?}]", format!(" {line}")),
    };
    code(&lines.map(comment).collect::<String>())
}
