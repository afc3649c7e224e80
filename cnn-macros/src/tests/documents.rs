//! What the documentation of a type shows of its network.

use super::{LECTURE, rust};
use crate::compile;
use crate::report::Errors;
use proc_macro2::TokenStream;
use std::path::Path;
use std::time::Instant;
use syn::{Attribute, Expr, ExprLit, Item, ItemStruct, Lit, Meta, MetaNameValue};

/// The source of each `model! { … }` in a file of the zoo.
fn zoo(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cnn-runtime/src/zoo").join(file);
    let source = std::fs::read_to_string(path).expect("the zoo is beside this crate");
    source.split("\nmodel! {").skip(1).map(|rest| rest.split("\n}\n").next().unwrap_or_default().to_string()).collect()
}

/// The types that models become; prints the time it takes.
fn structs(models: &str) -> Vec<ItemStruct> {
    let mut errors = Errors::default();
    let source = models.parse().expect("the source is made of tokens");
    let start = Instant::now();
    let expansion = compile(source, &mut errors);
    let time = start.elapsed();
    assert_eq!(errors.len(), 0);
    let file: syn::File = syn::parse2(expansion).expect("the expansion is Rust");
    let structs = file.items.into_iter().filter_map(|item| if let Item::Struct(item) = item { Some(item) } else { None });
    let structs: Vec<ItemStruct> = structs.collect();
    println!("{time:9.1?} for {}", structs.iter().map(|item| item.ident.to_string()).collect::<Vec<_>>().join(", "));
    structs
}

fn text(meta: &Meta) -> Option<String> {
    match meta {
        Meta::NameValue(MetaNameValue { path, value: Expr::Lit(ExprLit { lit: Lit::Str(text), .. }), .. })
            if path.is_ident("doc") =>
        {
            Some(text.value())
        }
        _ => None,
    }
}

/// What everyone reads, by line.
fn lines(item: &ItemStruct) -> Vec<String> {
    item.attrs.iter().filter_map(|attribute: &Attribute| text(&attribute.meta)).collect()
}

/// What rustdoc alone reads.
fn picture(item: &ItemStruct) -> String {
    let lists = item.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg_attr"));
    let tokens: TokenStream = lists.flat_map(|attribute| attribute.meta.require_list().expect("a list").tokens.clone()).collect();
    tokens.to_string()
}

#[test]
fn editors_show_the_table_and_rustdoc_the_picture_too() {
    let models = "/// Good. Net { i = Input(4); x = Dense(3, relu)(i); }".replace("Good. ", "Good.\n");
    let item = &structs(&models)[0];
    let expected = [
        " Good.",
        "",
        " 4 → 3, 15 parameters.",
        "",
        " | Layer     |                   | Output | Parameters | Receptive field |",
        " | --------- | ----------------- | -----: | ---------: | --------------: |",
        " | `input`   | Input(4)          |      4 |          0 |             1×1 |",
        " | `dense`   | Dense(3, relu)    |      3 |         15 |           whole |",
        " | **Total** | 12 multiply-adds  |        |     **15** |                 |",
    ];
    let close = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ").replace('-', "");
    assert_eq!(lines(item).iter().map(|line| close(line)).collect::<Vec<_>>(), expected.map(close));
    let picture = picture(item);
    assert!(picture.starts_with("doc , doc = \"\" , doc = \" <div><svg width="), "{picture}");
    assert!(picture.contains("<title>dense: Dense(3, relu)&#10;4 → 3&#10;15 parameters, 12 multiply-adds"), "{picture}");
}

#[test]
fn a_layer_that_is_applied_twice_has_its_parameters_once() {
    let rust =
        rust("Net { a = Input(8, 8, 1); b = Input(4, 4, 1); c = Conv2D(2, 3, same); x = c(a); y = c(b); Model([a, b], [x, y]) }");
    let rows: Vec<&str> = rust.lines().filter(|line| line.contains("| `conv2d`")).collect();
    assert!(rows.len() == 2 && rows[0].contains("|         20 |") && rows[1].contains("|          0 |"), "{rows:#?}");
    assert!(rust.contains(&format!("{} multiply-adds", cnn_draw::grouped(18 * 64 + 18 * 16))), "{rust}");
}

#[test]
fn every_network_of_the_zoo_is_documented_on_a_screen() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cnn-runtime/src/zoo");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).expect("the zoo is beside this crate") {
        for models in zoo(&entry.expect("the zoo can be read").file_name().to_string_lossy()) {
            for item in structs(&models) {
                let rows = lines(&item).iter().filter(|line| line.starts_with(" |")).count();
                assert!((6..=28).contains(&rows), "{}: {rows} rows", item.ident);
                let picture = picture(&item);
                assert!(picture.contains("</svg></div>") && !picture.contains("\\n"), "{}: {picture}", item.ident);
                assert!(picture.len() < 60_000, "{}: {} bytes", item.ident, picture.len());
                count += 1;
            }
        }
    }
    assert!(count >= 19, "{count}");
}
#[test]
fn what_only_the_compiler_knows_is_left_open() {
    let rust =
        rust("Net<const K: usize> { i = Input(8, 8, 3); x = Conv2D(4 * K, 3, relu)(i); x = Flatten()(x); x = Dense(10)(x); }");
    let close = rust.split_whitespace().collect::<Vec<_>>().join(" ").replace('-', "");
    for line in ["8×8×3 → ….", "| `conv2d` | Conv2D(4 * K, 3, relu) | … | … | … |", "| `dense` | Dense(10) | … | … | … |"]
    {
        assert!(close.contains(line), "{line}\n{rust}");
    }
}

#[test]
fn the_readme_shows_what_the_lecture_draws() {
    let picture = picture(&structs(LECTURE)[0]);
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/network.svg");
    let committed = std::fs::read_to_string(committed).expect("the README's picture is there");
    let drawing = committed.lines().find(|line| line.starts_with("<g ")).expect("a drawing");
    let escaped = proc_macro2::Literal::string(drawing).to_string();
    assert!(picture.contains(escaped.trim_matches('"')), "draw it again with `Model::diagram`\n{picture}");
}
