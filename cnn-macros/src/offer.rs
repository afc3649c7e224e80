//! What editors offer where a name is not known yet: the names that could stand there.
//!
//! An editor completes the word before the cursor where it finds it in the code that a macro becomes. So a name that is not
//! known is put among those that are, in code that only rust-analyzer sees.

use crate::ast::{Argument, Written};
use crate::common::COMMON;
use crate::evaluate::{Parameters, is_in_capitals};
use cnn_spec::{self as spec, Kind};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use std::collections::BTreeSet;

/// A name that is not known, and what could stand there.
pub struct Offer {
    name: Ident,
    known: Known,
}

/// Names that are known.
pub enum Known {
    /// Those of layers.
    Layers,
    /// These, of tensors and of blocks.
    Bound { tensors: Vec<String>, blocks: Vec<String> },
    /// These, of arguments, and words that are values.
    Arguments { names: Vec<&'static str>, words: Vec<&'static str> },
}

impl Offer {
    /// Offers what is `known` in the place of `name`.
    pub fn new(name: &Ident, known: Known) -> Self {
        Self { name: name.clone(), known }
    }

    /// What to offer in an argument of a layer that takes those of `table`: in the place of its name, or of a value that may
    /// become a name or a word and is no parameter.
    pub fn in_argument(argument: &Argument, table: &[spec::Argument], parameters: &Parameters) -> Option<Self> {
        let Argument { keyword, given } = argument;
        // A parameter has a value by now, but is still what is written.
        let is_open = |name: &Ident| !is_in_capitals(&name.to_string()) && parameters.get(&name.to_string()).is_none();
        let value = || match &given.written {
            Written::Name(_) => syn::parse2::<Ident>(given.tokens.clone()).ok().filter(is_open),
            _ => None,
        };
        let called = |name: &Ident| table.iter().find(|argument| argument.is_called(&name.to_string()));
        let names = || table.iter().chain(&COMMON).map(|argument| argument.name).collect();
        let (name, names, words): (Ident, Vec<_>, Vec<_>) = match (keyword, keyword.as_ref().and_then(called)) {
            (Some(_), Some(argument)) => (value()?, Vec::new(), argument.kind.words().to_vec()),
            (Some(keyword), None) => (keyword.clone(), names(), Vec::new()),
            (None, _) if table.first().is_some_and(|first| first.kind == Kind::Layer) => return None,
            (None, _) => {
                let all = table.iter().flat_map(|argument| argument.kind.words().iter().map(move |word| (argument, *word)));
                let bare = all.filter(|(argument, word)| argument.takes_bare(word)).map(|(_, word)| word);
                (value().filter(|name| called(name).is_none())?, names(), bare.collect())
            }
        };
        let is_any = !names.is_empty() || !words.is_empty();
        (is_any && !words.iter().any(|word| name.to_string().eq_ignore_ascii_case(word)))
            .then(|| Self::new(&name, Known::Arguments { names, words }))
    }

    /// The name among those that are known.
    pub fn to_code(&self) -> TokenStream {
        let name = &self.name;
        let known = match &self.known {
            Known::Layers => quote_spanned!(Span::mixed_site()=> use ::cnn_runtime::spec::layers as known;),
            Known::Bound { tensors, blocks } => module(&[("Tensor", listed(tensors)), ("Block", listed(blocks))]),
            Known::Arguments { names, words } => module(&[("Argument", listed(names)), ("Word", listed(words))]),
        };
        quote_spanned! {Span::mixed_site()=>
            ::cnn_runtime::__offered! {
                #[allow(nonstandard_style)]
                const _: () = {
                    #known
                    let _ = known::#name;
                };
            }
        }
    }
}

/// Each name once. Numbers and keywords, which are words, cannot be names of constants.
fn listed(names: &[impl AsRef<str>]) -> BTreeSet<Ident> {
    names.iter().filter_map(|name| syn::parse_str(name.as_ref()).ok()).collect()
}

/// A module of nothing but constants of these types and names: editors show the one beside the other.
fn module(constants: &[(&str, BTreeSet<Ident>)]) -> TokenStream {
    let types: Vec<Ident> = constants.iter().map(|(ty, _)| Ident::new(ty, Span::mixed_site())).collect();
    let mut taken = BTreeSet::new();
    let constants: Vec<TokenStream> = types
        .iter()
        .zip(constants)
        .map(|(ty, (_, names))| {
            let names = names.iter().filter(|name| taken.insert(*name)).collect::<Vec<_>>();
            quote_spanned!(Span::mixed_site()=> #(pub const #names: of::#ty = of::#ty;)*)
        })
        .collect();
    quote_spanned! {Span::mixed_site()=>
        mod known {
            mod of { #(pub struct #types;)* }
            #(#constants)*
        }
    }
}
