//! The constants by which the compiler checks what the macro could not: sizes that are constants or parameters of the model.
//!
//! Each such node becomes a constant that holds what the rule book infers, and each a check that fails on the tokens to
//! blame. Checks of a model without parameters are constants of their own, so that each mistake is one error whether or not
//! the model is used; those of a model with parameters are part of its graph, and so made wherever the model is used.

use super::{layer, rust, shape};
use crate::ast::Model;
use crate::graph::{Blamed, Check, Described, Graph, Stated};
use crate::way;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote_spanned};

/// The constants of a model: what is inferred of its layers, and where it has parameters, the checks.
pub fn constants(model: &Model, graph: &Graph) -> TokenStream {
    let is_left_open = |layer: &Described| matches!(layer, Described::Constants(..) | Described::Model);
    let layers = graph.layers.iter().enumerate().filter(|(_, layer)| is_left_open(&layer.layer));
    let layers = layers.map(|(index, described)| {
        let (name, layer) = (layer_name(index), layer(described));
        quote_spanned!(Span::mixed_site()=> const #name: ::cnn_runtime::spec::Layer = { use ::cnn_runtime::spec; #layer };)
    });
    let nodes = checked(graph).map(|(index, check)| inferred(graph, index, check));
    let checks = checked(graph).filter(|_| has_parameters(model)).map(|(index, check)| {
        let (name, body) = (check_name(index), body(&quote_spanned!(Span::mixed_site()=> Self), graph, index, check));
        quote_spanned!(Span::mixed_site()=> const #name: () = #body;)
    });
    quote_spanned!(Span::mixed_site()=> #(#layers)* #(#nodes)* #(#checks)*)
}

/// The checks of a model without parameters.
pub fn free_checks(model: &Model, graph: &Graph) -> TokenStream {
    let name = &model.name;
    let checks = checked(graph).filter(|_| !has_parameters(model));
    checks
        .map(|(index, check)| {
            let body = body(&quote_spanned!(Span::mixed_site()=> #name), graph, index, check);
            quote_spanned!(Span::mixed_site()=> const _: () = #body;)
        })
        .collect()
}

/// What a graph and its constructors evaluate first: the checks of a model with parameters.
///
/// The constructors do, so that the compiler tells where the model is used; it shows these statements as the model's name.
pub fn required(model: &Model, graph: &Graph) -> TokenStream {
    let names = checked(graph).filter(|_| has_parameters(model)).map(|(index, _)| check_name(index));
    quote_spanned!(model.name.span().resolved_at(Span::mixed_site())=> #(let () = Self::#names;)*)
}

/// The layer of node `index` as a value of the rule book.
pub fn described(graph: &Graph, index: usize) -> TokenStream {
    let place = graph.nodes[index].layer;
    match &graph.layers[place].layer {
        Described::Known(_) => {
            let layer = layer(&graph.layers[place]);
            quote_spanned!(Span::mixed_site()=> #layer)
        }
        Described::Custom(..) => {
            let name = custom_name(index);
            quote_spanned!(Span::mixed_site()=> spec::Layer::Custom(Self::#name))
        }
        Described::Constants(..) | Described::Model => {
            let name = layer_name(place);
            quote_spanned!(Span::mixed_site()=> Self::#name)
        }
    }
}

/// The shape of the output of node `index`.
pub fn shape_of(graph: &Graph, index: usize) -> TokenStream {
    match &graph.nodes[index].shape {
        Some(known) => shape(known),
        None => {
            let name = node_name(index);
            quote_spanned!(Span::mixed_site()=> Self::#name.shape_or_none())
        }
    }
}

fn has_parameters(model: &Model) -> bool {
    !model.generics.params.is_empty()
}

fn checked(graph: &Graph) -> impl Iterator<Item = (usize, &Check)> {
    graph.nodes.iter().enumerate().filter_map(|(index, node)| Some((index, node.check.as_ref()?)))
}

fn layer_name(index: usize) -> Ident {
    format_ident!("__layer_{index}")
}

fn node_name(index: usize) -> Ident {
    format_ident!("__node_{index}")
}

fn rule_name(index: usize) -> Ident {
    format_ident!("__rule_{index}")
}

fn custom_name(index: usize) -> Ident {
    format_ident!("__custom_{index}")
}

fn check_name(index: usize) -> Ident {
    format_ident!("__check_{index}")
}

/// The shape of the output of node `index`, if nothing is wrong up to there.
fn sound_shape(model: &TokenStream, graph: &Graph, index: usize) -> TokenStream {
    match &graph.nodes[index].shape {
        Some(known) => {
            let shape = shape(known);
            quote_spanned!(Span::mixed_site()=> Some(#shape))
        }
        None => {
            let name = node_name(index);
            quote_spanned!(Span::mixed_site()=> #model::#name.shape())
        }
    }
}

/// What the rule book infers of one node.
fn inferred(graph: &Graph, index: usize, check: &Check) -> TokenStream {
    let (name, kind, node) = (node_name(index), graph.layer(index).kind(), &graph.nodes[index]);
    let this = quote_spanned!(Span::mixed_site()=> Self);
    let inputs: Vec<TokenStream> = (node.inputs.iter().zip(&check.labels))
        .map(|(input, label)| {
            let shape = sound_shape(&this, graph, *input);
            quote_spanned!(Span::mixed_site()=> (#label, #shape))
        })
        .collect();
    let sharing = check.first.as_ref().map(|(first, label)| {
        let (here, from) = (&inputs[0], sound_shape(&this, graph, graph.nodes[*first].inputs[0]));
        let earlier = match graph.nodes[*first].check {
            Some(_) => {
                let name = node_name(*first);
                quote_spanned!(Span::mixed_site()=> Self::#name)
            }
            None => {
                let layer = described(graph, index);
                quote_spanned!(Span::mixed_site()=> spec::Checked::of(&#layer, [(#label, #from)]))
            }
        };
        quote_spanned!(Span::mixed_site()=> .sharing(#kind, (#label, #from, #earlier), #here))
    });
    let stated = check.stated.iter().map(|(tensor, stated)| {
        let stated = match stated {
            Some(Stated { source, constants }) => {
                let shape = rust(source, Span::mixed_site(), constants);
                quote_spanned!(Span::mixed_site()=> Some(&#shape))
            }
            None => quote_spanned!(Span::mixed_site()=> None),
        };
        quote_spanned!(Span::mixed_site()=> .stated(#tensor, #stated))
    });
    let checked = match &graph.layer(index).layer {
        Described::Custom(..) => {
            let rule = rule_name(index);
            quote_spanned!(Span::mixed_site()=> Self::#rule)
        }
        _ => {
            let layer = described(graph, index);
            quote_spanned!(Span::mixed_site()=> spec::Checked::of(&#layer, [#(#inputs),*]))
        }
    };
    let rule = rule(graph, index, &inputs);
    quote_spanned! {Span::mixed_site()=>
        #rule
        const #name: ::cnn_runtime::spec::Checked = {
            use ::cnn_runtime::spec;
            #checked #sharing #(#stated)*
        };
    }
}

/// What the rule of a user's own layer says of one node. The user's expression sees no name of ours.
fn rule(graph: &Graph, index: usize, inputs: &[TokenStream]) -> Option<TokenStream> {
    let Described::Custom(kind, value) = &graph.layer(index).layer else { return None };
    let (operands, rule, custom, node) =
        (format_ident!("__operands_{index}"), rule_name(index), custom_name(index), node_name(index));
    let count = inputs.len();
    let first = value.clone().into_iter().next().map_or_else(Span::mixed_site, |token| token.span());
    let infer = Ident::new("infer", first);
    // What goes wrong in the rule is shown where the layer is.
    let inferred = quote_spanned!(first.resolved_at(Span::mixed_site())=> (#value).#infer(&operands));
    let asked = quote_spanned!(Span::mixed_site()=> (#value).#infer(operands));
    Some(quote_spanned! {Span::mixed_site()=>
        const #operands: Option<[::cnn_runtime::spec::Operand<'static>; #count]> = {
            use ::cnn_runtime::spec;
            spec::Checked::operands([#(#inputs),*])
        };
        const #rule: ::cnn_runtime::spec::Checked = match Self::#operands {
            Some(operands) => ::cnn_runtime::spec::Checked::by_rule(#kind, #inferred),
            None => ::cnn_runtime::spec::Checked::Poisoned,
        };
        #[allow(clippy::result_large_err)]
        const #custom: &'static ::cnn_runtime::spec::Custom = &::cnn_runtime::spec::Custom {
            name: #kind,
            inferred: Self::#node.inferred_or_none(),
            rule: |operands| #asked,
        };
    })
}

/// What fails on the tokens to blame if a node breaks a rule.
fn body(model: &TokenStream, graph: &Graph, index: usize, check: &Check) -> TokenStream {
    let (name, place) = (node_name(index), &check.place);
    let way = way(model, graph, index);
    // Of several tensors there are several ways, and messages name them all.
    let tensor = if let [tensor] = check.labels.as_slice() { tensor } else { "" };
    let blamed = check.blamed.iter().map(|(about, tokens)| {
        let condition = match about {
            Blamed::Argument(name) => quote_spanned!(Span::mixed_site()=> is_about(#name)),
            Blamed::Element(name, element) => quote_spanned!(Span::mixed_site()=> is_about_element(#name, #element)),
            Blamed::Input(input) => quote_spanned!(Span::mixed_site()=> is_about_input(#input)),
            Blamed::Inputs => quote_spanned!(Span::mixed_site()=> is_about_inputs()),
            Blamed::Stated => quote_spanned!(Span::mixed_site()=> is_about_the_statement()),
        };
        let refuse = refuse(tokens, place);
        quote_spanned!(Span::mixed_site()=> if error.#condition { #refuse })
    });
    let otherwise = refuse(&check.otherwise, place);
    quote_spanned! {Span::mixed_site()=>
        {
            use ::cnn_runtime::spec::{self, refuse};
            if let Some(error) = #model::#name.error() {
                let error = error.after(#tensor, &[#(#way),*]);
                #(#blamed)*
                #otherwise
            }
        }
    }
}

/// A call of the rule book's `refuse` that stands where `tokens` do.
fn refuse(tokens: &TokenStream, place: &str) -> TokenStream {
    let spans: Vec<Span> = tokens.clone().into_iter().map(|token| token.span()).collect();
    let at = |span: Option<&Span>| span.copied().unwrap_or_else(Span::call_site);
    let (first, last) = (at(spans.first()), at(spans.last()));
    let function = Ident::new("refuse", first);
    let mut arguments = Group::new(Delimiter::Parenthesis, quote_spanned!(Span::mixed_site()=> &error, #place));
    arguments.set_span(last);
    let arguments = TokenTree::from(arguments);
    quote_spanned!(Span::mixed_site()=> #function #arguments;)
}

/// The layers on the way to the first input of node `index`, with their shapes.
fn way(model: &TokenStream, graph: &Graph, index: usize) -> Vec<TokenStream> {
    let step = |node: usize| {
        let (kind, shape) = (graph.layer(node).kind(), sound_shape(model, graph, node));
        quote_spanned!(Span::mixed_site()=> (#kind, #shape))
    };
    let gap = quote_spanned!(Span::mixed_site()=> ("…", None));
    graph.nodes[index].inputs.first().map_or_else(Vec::new, |input| way::told(&way::to(&graph.nodes, *input), step, gap))
}
