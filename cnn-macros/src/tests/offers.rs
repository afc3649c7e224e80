//! What editors are given to offer while a name is being typed.

use super::run;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;

/// The code for editors in the expansion of a model with this body, and perhaps blocks before it.
fn offers(blocks: &str, body: &str) -> Vec<String> {
    let is_ident = |token: &TokenTree, name: &str| matches!(token, TokenTree::Ident(ident) if ident == name);
    let tokens: Vec<TokenTree> = run(&format!("{blocks} Net {{ {body} }}")).0.into_iter().collect();
    let group = |tokens: &[TokenTree]| match tokens {
        [name, _, TokenTree::Group(code)] if is_ident(name, "__offered") => Some(code.stream().to_string()),
        _ => None,
    };
    tokens.windows(3).filter_map(group).collect()
}

/// That the only offer in a model is in the place of `name`, among constants of these types, or among layers if there are none.
#[track_caller]
fn offered(blocks: &str, body: &str, name: &str, among: &[&str]) {
    let written = |code: &str| code.parse::<TokenStream>().expect("it is code").to_token_stream().to_string();
    let [offer] = offers(blocks, body).try_into().expect("one offer");
    let source = if among.is_empty() { "use ::cnn_runtime::spec::layers as known;" } else { "mod known" };
    for part in among.iter().copied().chain([source, &format!("let _ = known::{name};")]) {
        assert!(offer.contains(&written(part)), "`{part}` in {offer}");
    }
}

#[test]
fn names_that_are_not_known_stand_among_those_that_are() {
    const INPUT: &str = "i = Input(8, 8, 3);";
    let after = |statement: &str| format!("{INPUT} {statement}");
    for half in ["x = Conv", "x = Conv;", "x = Conv(i);", "x = Conv(4, 3)(i);"] {
        offered("", &after(half), "Conv", &[]);
    }
    for half in ["x = Conv2D(4, 3, dil)(i);", "x = Conv2D(4, 3, dil=1)(i);"] {
        offered("", &after(half), "dil", &["dilation_rate: of::Argument", "trainable: of::Argument"]);
    }
    offered("", &after("x = Conv2D(4, 3, re)(i);"), "re", &["relu: of::Word", "padding: of::Argument"]);
    offered("", &after("x = Conv2D(4, 3, padding=sa)(i);"), "sa", &["same: of::Word", "valid: of::Word"]);
    offered("", &after("image = ReLU()(i); x = Flatten()(im);"), "im", &["image: of::Tensor", "i: of::Tensor"]);
    let block = "block stem(filters)(x) { Conv2D(filters, 3)(x) }";
    for half in ["x = stem(4)(i) + st", "x = stem(4)(st(4)(i));"] {
        offered(block, &after(half), "st", &["stem: of::Block"]);
    }
}

#[test]
fn nothing_is_offered_in_the_place_of_what_is_known() {
    let blocks = "
        block stem(filters, size = 3)(x) { Conv2D(filters, size, same, activation=relu, use_bias=False)(x) }
        block words(act = relu, pad = same)(x) { Conv2D(4, 3, act, padding=pad)(Conv2D(4, 3, padding=Same, activation=act)(x)) }";
    let body =
        "i = Input(8, 8, 3); x = words(elu)(stem(FILTERS)(i)); x = Resizing(4, 4, nearest, frozen)(x); x = Custom(Twice)(x);
        x = Dense(CLASSES, relu)(x);";
    assert_eq!(offers(blocks, body), Vec::<String>::new());
}
