//! Whatever is written, the macro answers: no panic, no hang, no overflow, and Rust in return.
//!
//! `FUZZ=1000000 cargo test -p cnn-macros fuzz` tries so many inputs instead of a few.

use crate::compile;
use crate::report::Errors;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseResult};

/// Correct models to begin with.
const MODELS: &[&str] = &[
    "block residual(filters, stride = 1)(x) {
         y = Conv2D(filters, 3, stride=stride, same, relu)(x);
         if stride > 1 { x = Conv2D(filters, 1, stride=stride)(x); } else if stride == 0 { x = x; }
         ReLU()(y + x)
     }
     pub Net {
         #![strict]
         i = Input(33, 33, 4);
         x = residual(4)(i);
         for (f, n) in [(4, 2), (8, 1)] { for _ in 0..n { x = residual(f, stride=f / 4)(x); } }
         x = GlobalAveragePooling2D()(x);
         x = Dense(4 * 8, activation=\"relu\", kernel_regularizer=L2(0.001), name=head, frozen)(x);
         Model([i], [x])
     }",
    "i = Input(_, 28, 3);
     conv = Conv2D(4, (3, 3), same);
     a = conv(i);
     b = MaxPooling2D(2, padding=((0, 1), (1, 0)))(a);
     b = UpSampling2D(size=(2, 2))(b);
     b = Cropping2D(((0, 0), (1, 1)))(ZeroPadding2D(1)(b));
     x = Concatenate(axis=-1)([GlobalMaxPooling2D()(a), GlobalAveragePooling2D()(b)]);
     x = Reshape(2, -1)(x);
     x = Conv1D(8, 2, padding=causal, dilation_rate=2)(x);
     x = Dense(3, softmax)(Dropout(0.2)(Flatten()(x)));",
    "Small { Sequential([Input(28, 28, 1), Conv2DTranspose(4, 3, stride=2, output_padding=1), SeparableConv2D(8, 3, glu),
         GroupNormalization(groups=4), Permute(3, 1, 2), Flatten(), Dense(10)]) }",
];

/// Tokens that the language gives a meaning, and values that are hard to take.
#[rustfmt::skip]
const POOL: &[&str] = &[
    "i", "x", "y", "Input", "Conv2D", "Conv1D", "Conv3D", "MaxPooling2D", "Dense", "Flatten", "Add", "Concatenate", "Reshape",
    "Sequential", "Model", "Net", "block", "pub", "struct", "for", "in", "if", "else", "while", "let", "return", "fn", "self",
    "type", "r#type", "relu", "same", "valid", "strict", "frozen", "true", "None", "name", "stride", "kernel_size", "padding",
    "_", "=", "==", "+", "-", "*", "/", "%", "<", ">", ">=", "..", "..=", ".", ",", ";", ":", "::", "#", "!", "&", "?", "=>",
    "|", "@", "$", "~", "0", "1", "2", "3", "-1", "7", "64", "1000000000", "4294967296", "9223372036854775807",
    "9223372036854775808", "18446744073709551615", "340282366920938463463374607431768211455",
    "99999999999999999999999999999999999999999", "0x7f", "0b11", "1u8", "3usize", "1_000", "0.5", "1e309", "1e-400", "2.5f32",
    "\"same\"", "\"\"", "\"größe\"", "\"a b\"", "b\"x\"", "c\"x\"", "'r'", "'relu", "'\\u{1F600}'", "größe", "変数", "()", "[]",
    "{}", "(3, 3)", "[(1, 2), 3]", "((0, 1), (2, 3))", "(_, _, 3)", "0..3", "0..10000", "0..=1000000000", "range(3)",
    "nn.Conv2d(1, 2)", "x.view(-1)", "L2(0.1)", "Constant(1e400)", "Input(8, 8, 3)", "Conv2D(8, 3)(x)", "i = Input(4);",
    "for _ in 0..100 { x = Conv2D(1, 1)(x); }", "block b()(x) { b()(x) }", "/// words\n", "#[derive(Debug)]", "#![strict]",
    "1 + 2 * (3 - 4) / 5 % 6", "if 1 > 0 { x = x; }", "|x| x", "a as b", "x?",
];

/// Compiles `tokens`, on the small stack that a test has, and checks that what comes back is Rust.
fn answers(tokens: &TokenStream) -> TestCaseResult {
    let mut errors = Errors::default();
    let expansion = compile(tokens.clone(), &mut errors);
    let is_rust = syn::parse2::<syn::File>(expansion.clone()).is_ok() || syn::parse2::<syn::Expr>(expansion).is_ok();
    prop_assert!(is_rust, "not Rust after {tokens}");
    proc_macro2::extra::invalidate_current_thread_spans();
    Ok(())
}

/// How many inputs to try.
fn config(few: u32) -> Config {
    let cases = std::env::var("FUZZ").ok().and_then(|cases| cases.parse().ok()).unwrap_or(few);
    Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() }
}

/// What happens to one token of a model, the `place`-th of all.
#[derive(Clone, Debug)]
enum Mutation {
    Delete,
    Duplicate,
    Swap,
    Replace(usize),
    Insert(usize),
    /// Its contents without the delimiter.
    Unwrap,
    Wrap(Delimiter),
}

fn mutation() -> impl Strategy<Value = (usize, Mutation)> {
    let delimiter =
        prop_oneof![Just(Delimiter::Parenthesis), Just(Delimiter::Bracket), Just(Delimiter::Brace), Just(Delimiter::None)];
    let mutation = prop_oneof![
        Just(Mutation::Delete),
        Just(Mutation::Duplicate),
        Just(Mutation::Swap),
        Just(Mutation::Unwrap),
        delimiter.prop_map(Mutation::Wrap),
        (0..POOL.len()).prop_map(Mutation::Replace),
        (0..POOL.len()).prop_map(Mutation::Insert),
    ];
    (any::<usize>(), mutation)
}

fn tokens(source: &str) -> TokenStream {
    source.parse().expect("it is made of tokens")
}

fn size(tokens: &TokenStream) -> usize {
    let size_of = |token: TokenTree| if let TokenTree::Group(group) = token { 1 + size(&group.stream()) } else { 1 };
    tokens.clone().into_iter().map(size_of).sum()
}

/// `tokens` with the one at `place`, counted depth first, mutated; `place` is counted down on the way.
fn mutated(tokens: TokenStream, place: &mut usize, mutation: &Mutation) -> TokenStream {
    let (mut result, mut rest) = (TokenStream::new(), tokens.into_iter().peekable());
    while let Some(token) = rest.next() {
        let is_here = *place == 0;
        *place = place.wrapping_sub(1);
        let token = match token {
            TokenTree::Group(group) if !is_here => {
                TokenTree::Group(Group::new(group.delimiter(), mutated(group.stream(), place, mutation)))
            }
            token if !is_here => token,
            token => {
                result.extend(replacement(token, &mut rest, mutation));
                continue;
            }
        };
        result.extend([token]);
    }
    result
}

fn replacement(token: TokenTree, rest: &mut impl Iterator<Item = TokenTree>, mutation: &Mutation) -> TokenStream {
    match mutation {
        Mutation::Delete => TokenStream::new(),
        Mutation::Duplicate => TokenStream::from_iter([token.clone(), token]),
        Mutation::Swap => TokenStream::from_iter(rest.next().into_iter().chain([token])),
        Mutation::Replace(with) => tokens(POOL[*with]),
        Mutation::Insert(before) => TokenStream::from_iter([tokens(POOL[*before]), token.into()]),
        Mutation::Unwrap => {
            if let TokenTree::Group(group) = token {
                group.stream()
            } else {
                token.into()
            }
        }
        Mutation::Wrap(delimiter) => TokenTree::Group(Group::new(*delimiter, token.into())).into(),
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn mutated_models_are_answered(model in 0..MODELS.len(), mutations in prop::collection::vec(mutation(), 1..6)) {
        let mut model = tokens(MODELS[model]);
        for (place, mutation) in &mutations {
            let mut place = place % size(&model).max(1);
            model = mutated(model, &mut place, mutation);
        }
        answers(&model)?;
    }

    #[test]
    fn token_soup_is_answered(soup in soup(), is_named in any::<bool>()) {
        let name = Ident::new("Net", Span::call_site());
        answers(&if is_named { quote::quote!(#name { #soup }) } else { soup })?;
    }
}

/// Tokens of the pool in any order, some of them in groups.
fn soup() -> impl Strategy<Value = TokenStream> {
    let leaf = (0..POOL.len()).prop_map(|index| tokens(POOL[index])).boxed();
    leaf.prop_recursive(4, 48, 12, |inner| {
        let delimiter = prop_oneof![
            Just(None),
            Just(Some(Delimiter::Parenthesis)),
            Just(Some(Delimiter::Bracket)),
            Just(Some(Delimiter::Brace))
        ];
        (delimiter, prop::collection::vec(inner, 0..12)).prop_map(|(delimiter, parts)| {
            let stream = TokenStream::from_iter(parts);
            match delimiter {
                Some(delimiter) => TokenTree::Group(Group::new(delimiter, stream)).into(),
                None => stream,
            }
        })
    })
}

/// Inputs that grow in one way without end.
#[test]
fn extremes_are_answered() {
    let nested = |open: &str, close: &str, inner: &str| open.repeat(1000) + inner + &close.repeat(1000);
    for source in [
        format!("i = Input(4); x = {};", nested("(", ")", "i")),
        format!("i = Input(4); x = Dense({})(i);", nested("(", ")", "3")),
        format!("i = Input(4); x = Dense({})(i);", nested("-", "", "3")),
        format!("i = Input(4); x = Dense({})(i);", nested("!", "", "3")),
        format!("i = Input(4); x = Dense({})(i);", nested("1 + (", ")", "3")),
        format!("i = Input(4); x = Dense({}3)(i);", "1 + ".repeat(1000)),
        format!("i = Input(4); x = Dense({})(i);", nested("f(", ")", "3")),
        format!("i = Input(4); x = Dense({})(i);", nested("[", "]", "3")),
        format!("i = Input(4); x = {};", nested("Flatten()(", ")", "i")),
        format!("i = Input(4); x = {}i;", "i + ".repeat(1000)),
        format!("i = Input(4); x = {};", nested("Sequential([", "])", "Flatten()")),
        format!("i = Input(4); x = i; {}", nested("for _ in 0..1 {", "}", "x = Dense(4)(x);")),
        format!("i = Input(4); x = i; {}", nested("for _ in 0..2 {", "}", "x = Dense(4)(x);")),
        format!("i = Input(4); x = i; {}", nested("if 1 > 0 {", "}", "x = Dense(4)(x);")),
        format!("i = Input(4); x = i; if 1 > 2 {{ }} {}", "else if 1 > 2 { }".repeat(1000)),
        "i = Input(4); x = i; for _ in 0..10000 { for _ in 0..10000 { for _ in 0..10000 { x = Dense(4)(x); } } }".to_string(),
        "i = Input(4); x = i; for _ in 0..10000 { for _ in 0..10000 { for _ in 0..10000 { } } }".to_string(),
        "i = Input(4); x = i; for _ in 0..10000 { x = x; }".to_string(),
        blocks(1000, 1),
        blocks(30, 2),
        format!("i = Input(4); x = Dense(4)({});", nested("[", "]", "i")),
        format!("{} i = Input(4);", "#![strict]".repeat(1000)),
        format!("{} Net {{ i = Input(4); }}", "/// words\n".repeat(1000)),
        nested("(", ")", ""),
        nested("{", "}", ""),
        format!("Net {{ {} }}", nested("[", "]", "")),
        "Net {".repeat(1000) + &"}".repeat(1000),
        "i = Input(1000000000, 1000000000, 1000000000); x = Conv2D(1000000000, 1000000000, padding=full)(i); x = Flatten()(x);"
            .into(),
        "i = Input(1000000000); x = Dense(1000000000)(i); y = Reshape(1000000000, 1)(x);".into(),
        "Net { x = Input(9, 9, 1000000000); for _ in 0..3 { x = Conv2D(1000000000, 3)(x); } }".into(),
    ] {
        let source = source.parse().expect("it is made of tokens");
        answers(&source).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// So many blocks, each of which calls the one before so many times.
fn blocks(number: usize, times: usize) -> String {
    let block = |index: usize| {
        let calls = format!("x = b{}()(x);", index.saturating_sub(1)).repeat(times);
        let statements = if index == 0 { "x = Flatten()(x);" } else { &calls };
        format!("block b{index}()(x) {{ {statements} x }}\n")
    };
    let blocks: String = (0..number).map(block).collect();
    format!("{blocks} Net {{ i = Input(4); x = b{}()(i); }}", number - 1)
}
