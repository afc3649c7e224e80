//! The compiler without a compiler: source text in, errors on their tokens or Rust code out.

mod blocks;
mod documents;
mod fuzz;
mod half_typed;
mod mistakes;
mod offers;

use crate::compile;
use crate::report::Errors;
use proc_macro2::TokenStream;

const LECTURE: &str = "
    /// The lecture's Fashion-MNIST classifier.
    pub FashionCnn {
        i = Input(28, 28, 1);
        x = Conv2D(32, 3, stride=2, relu)(i);
        x = Conv2D(64, 3, stride=2, relu)(x);
        x = Conv2D(128, 3, stride=2, relu)(x);
        x = Flatten()(x);
        x = Dropout(0.2)(x);
        x = Dense(512, relu)(x);
        x = Dropout(0.2)(x);
        x = Dense(10, softmax)(x);
    }
";

/// The expansion, and each error as `token: message`.
fn run(source: &str) -> (TokenStream, Vec<String>) {
    let mut errors = Errors::default();
    let expansion = compile(source.parse().expect("the source has matching parentheses"), &mut errors);
    let errors = errors.iter().map(ToString::to_string).collect();
    (expansion, errors)
}

/// `token: message` as it is printed, however the token is spaced.
fn found(token: &str, message: &str) -> String {
    format!("{}: {message}", token.parse::<TokenStream>().expect("the token is one"))
}

/// The errors in the body of a model.
fn errors(body: &str) -> Vec<String> {
    run(&format!("pub Net {{ {body} }}")).1
}

/// The only error in the body of a model.
#[track_caller]
fn error(body: &str) -> String {
    match errors(body).as_slice() {
        [error] => error.clone(),
        errors => panic!("expected one error, found {}:\n{}", errors.len(), errors.join("\n")),
    }
}

/// The expansion of a model without mistakes, formatted.
#[track_caller]
fn rust(source: &str) -> String {
    let (expansion, errors) = run(source);
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    prettyplease::unparse(&syn::parse2(expansion).expect("the expansion is Rust"))
}

/// The layers that `x` is bound to, in order.
fn calls(rust: &str) -> Vec<&str> {
    rust.lines().filter_map(|line| line.split_once("x = self.")?.1.split('.').next()).collect()
}

#[test]
fn half_typed_statements_are_one_error_and_the_rest_is_checked() {
    for (half, token) in [
        ("x = Conv2D(32, 3)", "Conv2D"),
        ("x = Conv2D(32, 3);", "Conv2D"),
        ("x = Conv2D(32,, 3)(i);", ","),
        ("x = Conv2D(32 3)(i);", "3"),
        ("x = Conv2D(32, stride=)(i);", "="),
        ("x = Conv2D(32, 3)(i)", "(i)"),
        ("x = Conv2D(32, 3)(i);;", ";"),
        ("x = Conv2D(32, 3)(Input(28, 28, 1));", "Input"),
        ("x = ;", "="),
        ("x =", "="),
        ("x", "x"),
        ("x = Conv2D;", "Conv2D"),
        ("x = Conv2D(32, 3)(i) + i;", "+"),
        ("x = Conv2D(32, 3)(i) - i;", "-"),
        ("x = i +;", "+"),
        ("x = Conv2D(32, 3)(i).relu();", "."),
        ("x = 3;", "3"),
        ("let x = Conv2D(32, 3)(i);", "let"),
        ("Conv2D(32, 3)(i);", "Conv2D"),
        ("(x, y) = Split(2)(i);", "Split"),
        ("(x, b) = Flatten()(i);", "x b"),
        ("(x, 3) = Flatten()(i); x = i;", "3"),
        ("while true { x = Flatten()(i); }", "while"),
        ("for k in { x = Flatten()(i); }", "in"),
        ("for k [8, 16] { x = Conv2D(k, 3)(x); }", "for"),
        ("for k in 8 { x = Conv2D(k, 3)(x); }", "8"),
        ("for (a, b) in [8, 16] { x = Conv2D(a, b)(i); }", "[8, 16]"),
        ("for _ in range(3) { x = Flatten()(i); }", "range (3)"),
        ("if { x = Flatten()(i); }", "if"),
        ("if DEEP { x = Conv2D(8, 3)(x); } else { x = Conv2D(4, 3)(x); }", "DEEP"),
        ("x = layers.Conv2D(32, 3)(i);", "layers.Conv2D"),
        ("x = Sequential([Conv2D(32, 3)]);", "Sequential"),
        ("x = Sequential(Conv2D)(i);", "Conv2D"),
        ("x = Flatten(i);", "i"),
        ("x = Dot(1)(i);", "(i)"),
    ] {
        let body = format!("i = Input(28, 28, 1); {half} x = Flatten()(x); y = Conv2D(8, 99)(i); Model(i, [x, y])");
        let errors = errors(&body);
        assert_eq!(errors.len(), 2, "{half}: {errors:#?}");
        assert!(errors[0].starts_with(&found(token, "")), "{half}: {errors:#?}");
        assert!(errors[1].starts_with("99: "), "{half}: {errors:#?}");
    }
}

#[test]
fn other_mistakes() {
    for (body, expected) in [
        ("", "Net: this model has no input"),
        (
            "i = Input(8, 8, 3); x = Conv2D(8, 3, kernel_regularizer=0.001)(i);",
            "0.001: `kernel_regularizer` takes a regularizer, found `0.001`\n  help: write `kernel_regularizer=L2(0.001)`",
        ),
        (
            "i = Input(8, 8, 3); x = Conv2D(8, 3, kernel_regularizer=L2(l1=0.1))(i);",
            "L2 (l1 = 0.1): `L2` has no argument `l1`\n  help: its argument is `l2`",
        ),
        ("i = Input(8, 8, 3); x = Conv2D(9, 3, glu)(i);", "glu: `glu` multiplies one half of the channels with the other"),
        ("i = Input(8, 8, 3); x = BatchNormalization(axis=1)(i);", "1: `BatchNormalization` normalises channels, the last axis"),
        (
            "i = Input(8, 8, 48); x = GroupNormalization(32)(i);",
            "32: the 48 channels of `i` do not divide into 32 groups\n  help: use `groups=24`",
        ),
        ("x = Conv2D(8, 3)(x);", "x: unknown tensor `x`\n  help: bind it first"),
        ("i = Input(28, 0, 1);", "0: an input's sizes must be at least 1"),
        ("i = Input();", "(): `shape` of `Input` is missing"),
        ("i = Input(4)(j);", "j: unknown tensor `j`"),
        ("i = Input(4); x = Dense()(i);", "(): `units` of `Dense` is missing"),
        ("i = Input(4); x = Dense(None)(i);", "(None): `units` of `Dense` is missing"),
        (
            "i = Input(4); x = Dense(3, kernel_regularizer=L2(FACTOR))(i);",
            "L2(FACTOR): the value `L2(FACTOR)` must be written out\n  help: write it as in `kernel_regularizer=L2(0.001)`",
        ),
        ("i = Input(4); x = Dense(3 / 0)(i);", "3 / 0: division by zero"),
        ("i = Input(4); x = Dense(99999999999999999999999999)(i);", "99999999999999999999999999: number too large"),
        ("i = Input(4); x = Dense(9999999999999999999)(i);", "9999999999999999999: `units` may not exceed 1000000000"),
        ("i = Input(4); x = Dense(-1)(i);", "-1: `units` cannot be negative"),
        ("i = Input(4); x = Dense(units=3, 4)(i);", "4: a value without a keyword stands after one with a keyword"),
        ("i = Input(4); x = Flatten(3)(i);", "3: `Flatten` takes no arguments"),
        (
            "i = Input(4); x = Dense(3, relu, true, zeros, ones, l1, l2, l1, unit_norm, non_neg, 5)(i);",
            "5: `Dense` takes no further argument",
        ),
        (
            "i = Input(4); x = Dense(3, transformer)(i);",
            "transformer: unknown word `transformer`\n  help: the words are `linear`, ",
        ),
        ("i = Input(4); x = Dense(3, relu, tanh)(i);", "tanh: `activation` is given twice"),
        ("i = Input(4); x = Dense(3, activation='r')(i);", "'r': a word has double quotes or none"),
        ("i = Input(4); x = Dense(3, name=a, name=b)(i);", "name: `name` is given twice"),
        ("i = Input(4); x = Dense(3, name=\"my layer\")(i);", "\"my layer\": a layer's name becomes a field"),
        ("i = Input(4); x = Dense(3, name=type)(i);", ": expected an expression"),
        ("i = Input(4); x = Dense(3)(i); x = Dense(3)(i);", "x: `x` is never used\n  note: it is bound again"),
        (
            "i = Input(4); x = Dense(3)(i); i = Input(4); y = Dense(3)(i); Model(i, [x, y])",
            "i: input `i` has the name of an earlier",
        ),
        ("i = Input(4); x = Dense(3)(i); Model(x, i)", "x: `x` is not an `Input`"),
        ("i = Input(4); x = Dense(3)(i); Model([i, i], x)", "i: input `i` is listed twice"),
        ("i = Input(4); x = Dense(3)(i); Model(i)", ": the outputs of the model are missing"),
        ("i = Input(4); x = Dense(3)(i); Model([], x)", "[]: the inputs of the model are missing"),
        ("i = Input(4); x = Dense(3)(i); m = Model(i, x);", "m: `Model(…)` is bound to no name"),
        ("i = Input(4); Model(i, x); x = Dense(3)(i);", "Model: `Model(…)` must be the last statement"),
        ("#![strickt] i = Input(4);", "# ! [strickt]: unknown attribute"),
        ("i = Input(4); x = Dense(3)([i, i]);", "([i, i]): `Dense` takes one tensor, found 2"),
        ("i = Input(4); x = Dense(3)();", "(): `Dense` takes one tensor, found 0"),
        ("i = Input(4); x = Dense(3)(k); y = Dense(3)(k); Model(i, [x, y])", "k: unknown tensor `k`"),
        ("i = Input(4, 4, 1); x = Conv2D(8, (3, 5))(i);", "5: kernel 3×5 does not fit"),
        ("i = Input(4, 4, 1); x = Conv2D(8, 3, padding=sam)(i);", "sam: unknown padding `sam`\n  help: did you mean `same`?"),
        (
            "i = Input(4, 1); x = Conv1D(8, kernel=3)(i);",
            "kernel: `Conv1D` has no argument `kernel`\n  help: did you mean `kernel_size`?",
        ),
        (
            "i = Input(4, 4, 1); x = Conv2D(8, kernel=3)(i);",
            "3: `kernel` takes the weights of a kernel, found `3`\n  help: write its size as `kernel_size=3`",
        ),
    ] {
        let (error, (token, message)) = (error(body), expected.split_once(": ").expect("a token and a message"));
        assert!(error.starts_with(&found(token, message)), "{body}\n{error}");
    }
}

#[test]
fn values_may_have_values_of_their_own() {
    let rust = rust(
        "pub Net {
            i = Input(8, 8, 3);
            x = Conv2D(8, 3, kernel_regularizer=L2(0.001), bias_initializer=Constant(0.1), bias_regularizer=\"l1\")(i);
        }",
    );
    let rust: String = rust.split_whitespace().collect();
    for method in [
        ".bias_initializer(spec::Initializer::Constant(0.1))",
        ".kernel_regularizer(Some(spec::Regularizer::new(0.0,0.001)))",
        ".bias_regularizer(Some(spec::Regularizer::new(0.01,0.0)))",
    ] {
        assert!(rust.contains(method), "{method}\n\n{rust}");
    }
}

#[test]
fn the_lecture_becomes_plain_code() {
    let rust = rust(LECTURE);
    for line in [
        "/// The lecture's Fashion-MNIST classifier.\n///\n/// 28×28×1 → 10, 360,458 parameters.\n///\n/// | Layer ",
        "\npub struct FashionCnn {",
        "    /// `Conv2D`: 28×28×1 → 13×13×32, 320 parameters.\n    pub conv2d: ::cnn_runtime::layers::Conv2D,",
        "    /// Runs the network on a batch: `i` N×28×28×1 → `x` N×10.",
        "        let i = self.input.forward(i, cx)?;\n        let mut x = self.conv2d.forward(&i, cx)?;\n        x = self.conv2d_1.",
        "        x = self.dense_1.forward(&x, &cx.last())?;\n        Ok(x)",
        "let conv2d = spec::Call {\n            tensor: \"x\",\n            layer: spec::Layer::Conv2D(\n                spec::layers::Conv2D::new(32, [3, 3])\n",
        "let [shape_512, shape_10] = spec::Shape::each([[512], [10]]);",
        "names: [\n                    \"input\",\n                    \"conv2d\",\n",
        "calls: [\n                    input,\n                    conv2d,\n",
        "shapes: [\n                    shape_28x28x1,\n                    shape_13x13x32,\n",
        "inputs: &[0, 1, 2, 3, 4, 5, 6, 7],",
        "let [dense, dense_1] = layers::build::<\n            ::cnn_runtime::layers::Dense,\n            _,\n        >(&graph, [6, 8], weights)?;",
        "impl ::cnn_runtime::candle_nn::ModuleT for FashionCnn {",
    ] {
        assert!(rust.contains(line), "{line}\n\n{rust}");
    }
}

#[test]
fn what_only_the_compiler_knows_is_left_to_it() {
    let rust = rust(
        "pub Net<const K: usize> {
            i = Input(8, 8, 3);
            x = Conv2D(2 * F, (3, K), padding=PAD)(i);
            x = Dense(10)(x);
        }",
    );
    let rust: String = rust.split_whitespace().collect();
    for part in [
        "pubstructNet<constK:usize>{",
        "impl<constK:usize>::cnn_runtime::NetworkforNet<K>{",
        "const__layer_1:::cnn_runtime::spec::Layer={use::cnn_runtime::spec;spec::Layer::Conv2D(\
         spec::layers::Conv2D::new((2*F),[3,K]).padding(spec::Padding::Explicit([[PAD;2];2])),)};",
        "spec::Checked::of(&Self::__layer_1,[(\"i\",Some(spec::Shape::new([8,8,3])))])",
        "spec::Checked::of(&spec::Layer::Dense(spec::layers::Dense::new(10)),[(\"x\",Self::__node_1.shape())],)",
        "iferror.is_about_element(\"kernel_size\",1usize){refuse(&error,\"\");}",
        "Result<::cnn_runtime::Model<Self>>{let()=Self::__check_1;let()=Self::__check_2;::cnn_runtime::Model::new(device,seed)}",
        "let()=Self::__check_1;let()=Self::__check_2;letinput=spec::Call",
        "calls:[input,conv2d,dense],shapes:[shape_8x8x3,Self::__node_1.shape_or_none(),Self::__node_2.shape_or_none(),],",
    ] {
        assert!(rust.contains(part), "{part}\n\n{rust}");
    }
}

#[test]
fn notations_mean_the_same() {
    let of = |body: &str| rust(&format!("Net {{ i = Input(28, 28, 1); {body} }}"));
    let expected = of("x = Conv2D(32, (3, 3), strides=(2, 2), activation=relu, padding=same)(i);");
    for same in [
        "x = Conv2D(32, 3, 2, relu, same)(i);",
        "x = Conv2D(32, (3, 3), strides=2, activation=\"relu\", padding=\"same\")(i);",
        "x = Conv2D(4 * 8, [3, 3], stride=2, same, \"relu\", use_bias=True, groups=None)(i,);",
        "x = Conv2D(kernel_size=3, filters=32, stride=2, same, relu)([i]); Model(inputs=i, outputs=[x]);",
    ] {
        assert_eq!(of(same), expected, "{same}");
    }
    for input in ["Input((28, 28, 1))", "Input(shape=(28, 28, 1))", "Input(28, 28, 1, name=input)"] {
        let expected = of("x = Flatten()(i);");
        assert_eq!(rust(&format!("Net {{ i = {input}; x = Flatten()(i); }}")), expected, "{input}");
    }
}

#[test]
fn names_count_per_kind_and_given_ones_win() {
    let rust = rust(
        "Net { i = Input(9, 9, 1); x = Conv2D(1, 3)(i); x = Conv2D(1, 3, name=conv2d)(x); x = Conv2D(1, 3, name=\"stem\")(x); x = Conv2D(1, 3)(x); }",
    );
    assert_eq!(calls(&rust), ["conv2d_1", "conv2d", "stem", "conv2d_2"]);
}

#[test]
fn strict_holds_unless_a_layer_says_otherwise() {
    let rust = rust("Net { #![strict] i = Input(9, 9, 1); x = Conv2D(1, 3)(i); x = MaxPooling2D(2, strict=false)(x); }");
    assert!(rust.contains("spec::layers::Conv2D::new(1, [3, 3]).strict(true)"), "{rust}");
    assert!(rust.contains("spec::layers::MaxPooling2D::new()"), "{rust}");
}

#[test]
fn a_graph_branches_and_has_several_ends() {
    let rust = rust(
        "Net { a = Input(_, 8, 1); b = Input(3); k = a; s = a; a = Conv2D(2, 3)(a); x = Flatten()(b); s = Activation(relu)(s);
               Model([b, k], [a, s, a, x]) }",
    );
    for line in [
        "let mut s = a.clone();",
        "a = self.conv2d.forward(&a, &cx.last())?;",
        "Ok((a.clone(), s, a, x))",
        "let [b, a] = inputs else {",
        "Ok(Vec::from([outputs.0, outputs.1, outputs.2, outputs.3]))",
        "&[spec::Dim::Unknown, spec::Dim::Known(6), spec::Dim::Known(2)],",
        "spec::layers::Activation::new(spec::Activation::Relu)",
        "inputs: &[1, 0],\n            outputs: &[2, 4, 2, 3],",
    ] {
        assert!(rust.contains(line), "{line}\n\n{rust}");
    }
    assert!(!rust.contains("ModuleT"), "{rust}");
}

#[test]
fn a_layer_whose_output_is_used_again_is_not_the_last() {
    let rust = rust("Net { i = Input(4); x = Dense(3, softmax)(i); y = Dense(2)(x); Model(i, [x, y]) }");
    assert!(
        rust.contains("let x = self.dense.forward(&i, cx)?;\n        let y = self.dense_1.forward(&x, &cx.last())?;"),
        "{rust}"
    );
}

#[test]
fn a_bare_body_is_an_expression() {
    let (expansion, errors) = run("i = Input(4); x = Dense(3)(i);");
    assert_eq!(errors, [""; 0]);
    let block: syn::ExprBlock = syn::parse2(expansion).expect("the expansion is a block");
    let value = block.block.stmts.last().map(|statement| quote::quote!(#statement).to_string());
    assert_eq!(value.as_deref(), Some(":: cnn_runtime :: Blueprint :: < Model > :: new ()"));
}

#[test]
fn mistakes_leave_the_types_in_place() {
    let (expansion, errors) = run("/// Good.
         #[derive(Debug)] pub(crate) Good { i = Input(4); x = Dense(3)(i); }
         Bad { i = Input(4); j = Input(4); x = Dense(3, name=head)(i); y = Conv2D(8, 3)(j); Model([i, j], [x, y]) }");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    let rust = prettyplease::unparse(&syn::parse2(expansion).expect("the expansion is Rust"));
    assert!(rust.contains("#[derive(Debug)]\n///\n/// 4 → 3, 15 parameters.\n"), "{rust}");
    assert!(rust.contains("pub head: ::cnn_runtime::layers::Dense,\n    pub conv2d: ::cnn_runtime::layers::Conv2D,"), "{rust}");
    assert!(rust.contains("_: &::cnn_runtime::candle_core::Tensor,\n        _: &::cnn_runtime::candle_core::Tensor,"), "{rust}");
}
