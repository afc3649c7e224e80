//! Blocks, loops, conditions, sums and shared layers: what they become, and what is said of mistakes in them.

use super::{calls, errors, found, run, rust};

const RESIDUAL: &str = "
    block residual(filters, stride = 1)(x) {
        y = Conv2D(filters, 3, stride=stride, same, relu)(x);
        y = Conv2D(filters, 3, same)(y);
        if stride > 1 {
            x = Conv2D(filters, 1, stride=stride)(x);
        }
        ReLU()(y + x)
    }";

/// The only error of what follows `RESIDUAL`.
#[track_caller]
fn error(models: &str) -> String {
    let (_, errors) = run(&format!("{RESIDUAL} {models}"));
    match errors.as_slice() {
        [error] => error.clone(),
        errors => panic!("{models}: expected one error, found {errors:#?}"),
    }
}

/// Without the spaces, breaks and closing commas that depend on the length of a line.
fn packed(rust: &str) -> String {
    rust.replace([' ', '\n'], "").replace(",]", "]").replace(",)", ")").replace(",>", ">")
}

fn lines(rust: &str, prefix: &str) -> Vec<String> {
    rust.lines().filter_map(|line| line.trim().strip_prefix(prefix)).map(str::to_string).collect()
}

#[test]
fn a_block_becomes_a_rust_block() {
    let rust = rust(&format!("{RESIDUAL} Net {{ i = Input(8, 8, 4); x = residual(4)(i); x = residual(8, stride=2)(x); }}"));
    for part in [
        "        let mut x = {\n            let x = i.clone();\n            let mut y = self.residual_conv2d.forward(&x, cx)?;\n",
        "            self.residual_relu.forward(&self.residual_add.forward(&[&y, &x], cx)?, cx)?\n        };\n",
        "        x = {\n            let mut y = self.residual_1_conv2d.forward(&x, cx)?;\n",
        "            let x = self.residual_1_conv2d_2.forward(&x, cx)?;\n",
        "    /// `residual_1.conv2d_2`, `Conv2D`: 8×8×4 → 4×4×8, 40 parameters.\n    pub residual_1_conv2d_2: ",
        "\"residual_1.conv2d_2\",\n",
    ] {
        assert!(rust.contains(part), "{part}\n\n{rust}");
    }
}

#[test]
fn a_block_that_is_called_again_is_a_function() {
    let rust = rust(&format!(
        "block conv(f)(x) {{ conv2d = Conv2D(f, 3, same)(x); ReLU()(conv2d) }}
         block both(f)(a, b) {{ (conv(f)(a), b) }}
         {RESIDUAL}
         Net {{ i = Input(8, 8, 4); x = conv(4)(i); for _ in 0..3 {{ x = residual(4)(x); }} x = residual(8, stride=2)(x);
                y = conv(8)(x); (x, y) = both(4)(x, y); (x, y) = both(8)(x, y); x = conv(2)(ReLU()(x)); x = conv(2)(x); Model(i, [x, y]) }}"
    ));
    for part in [
        // The tensor `conv2d` is not the layer.
        "fn conv(x: &T, (conv2d_, relu): (&L::Conv2D, &L::ReLU), cx: &C,) -> R<T> {
             let conv2d = conv2d_.forward(x, cx)?;
             relu.forward(&conv2d, cx)
         }",
        "fn both(a: &T, b: &T, (conv_conv2d, conv_relu): (&L::Conv2D, &L::ReLU), cx: &C,) -> R<(T, T)> {
             Ok((conv(a, (conv_conv2d, conv_relu), cx)?, b.clone()))
         }",
        "fn residual(x: &T, (conv2d, conv2d_1, add, relu): (&L::Conv2D, &L::Conv2D, &L::Add, &L::ReLU,), cx: &C,) -> R<T> {
             let mut y = conv2d.forward(x, cx)?;
             y = conv2d_1.forward(&y, cx)?;",
        "relu.forward(&add.forward(&[&y, x], cx)?, cx)",
        "let mut x = conv(&i, (&self.conv_conv2d, &self.conv_relu), cx)?;",
        // What follows one after the other is a loop.
        "for layers in [(&self.residual_conv2d, &self.residual_conv2d_1, &self.residual_add, &self.residual_relu,),
             (&self.residual_1_conv2d, &self.residual_1_conv2d_1, &self.residual_1_add, &self.residual_1_relu,),
             (&self.residual_2_conv2d, &self.residual_2_conv2d_1, &self.residual_2_add, &self.residual_2_relu,),]
         { x = residual(&x, layers, cx)?; }",
        // One that is called once, and one whose tensor a function would keep too long, stay where they are.
        "x = { let mut y = self.residual_3_conv2d.forward(&x, cx)?;",
        "x = { let x = self.relu.forward(&x, cx)?; let conv2d = self.conv_2_conv2d.forward(&x, cx)?;",
        // What ends the network is told so, and is other code.
        "fn conv_2(x: &T, (conv2d_, relu): (&L::Conv2D, &L::ReLU), cx: &C,) -> R<T> {
             let conv2d = conv2d_.forward(x, cx)?;
             relu.forward(&conv2d, &cx.last())
         }",
    ] {
        let part = part.replace("&T", "&::cnn_runtime::candle_core::Tensor").replace("L::", "::cnn_runtime::layers::");
        let part = part.replace("&C,", "&::cnn_runtime::Context,").replace("R<", "::cnn_runtime::candle_core::Result<");
        let part = part.replace("<T>", "<::cnn_runtime::candle_core::Tensor>");
        let part = part.replace("(T, T)", "(::cnn_runtime::candle_core::Tensor, ::cnn_runtime::candle_core::Tensor)");
        assert!(packed(&rust).contains(&packed(&part)), "{part}\n\n{rust}");
    }
}

#[test]
fn loops_repeat_and_conditions_choose() {
    let rust = rust(
        "Net { i = Input(32, 32, 3); x = i;
               for (filters, depth) in [(8, 1), (16, 2)] {
                   for n in 0..depth {
                       if n == 0 && filters != 8 { x = Conv2D(2 * filters, 3, strides=2)(x); }
                       else { x = Conv2D(filters / 2, 3)(x); }
                   }
               }
               for _ in 0..=1 { x = ReLU()(x); } }",
    );
    for layer in ["Conv2D::new(4, [3, 3])", "Conv2D::new(32, [3, 3]).strides([2, 2])", "Conv2D::new(8, [3, 3])"] {
        assert!(packed(&rust).contains(&packed(layer)), "{layer}\n{rust}");
    }
    assert_eq!(calls(&rust), ["conv2d", "conv2d_1", "conv2d_2", "relu", "relu_1"]);
}

#[test]
fn blocks_nest_and_give_several_tensors() {
    let rust = rust(
        "block conv(f, act = relu)(x) { Conv2D(f, 3, same, act)(x) }
         block split(f)(x, skip) { a = conv(f)(x); b = conv(f, act=tanh, name=second)(skip); (a, b) }
         Net { i = Input(8, 8, 2); (a, b) = split(4)(i, i); y = split(2, name=last)(a, b); }"
            .replace("y = split", "(y, z) = split")
            .as_str(),
    );
    for part in [
        "let (a, b) = {",
        "let x = i.clone();",
        "let skip = i.clone();",
        "\"split.conv.conv2d\",",
        "\"last.second.conv2d\",",
        "(a, b)\n        };",
        "Ok((y, z))",
        "activation(spec::Activation::Tanh)",
    ] {
        assert!(rust.contains(part), "{part}\n\n{rust}");
    }
}

#[test]
fn sums_are_one_layer_and_calls_nest() {
    let rust = rust("Net { i = Input(4); a = Dense(4)(i); x = ReLU()(a + Dense(4)(a) + i); }");
    let line = "let x = self.relu.forward(&self.add.forward(&[&a, &self.dense_1.forward(&a, cx)?, &i], cx)?, &cx.last())?;";
    assert!(packed(&rust).contains(&packed(line)), "{rust}");
}

#[test]
fn a_layer_bound_once_is_one_field_and_two_nodes() {
    let rust = rust(
        "Net { a = Input(8, 8, 3); b = Input(6, 6, 3); conv = Conv2D(4, 3, same); x = conv(a); y = conv(b); Model([a, b], [x, y]) }",
    );
    assert_eq!(lines(&rust, "pub conv2d").len(), 1, "{rust}");
    assert_eq!(rust.matches("self.conv2d.forward(").count(), 2, "{rust}");
    let rust = packed(&rust);
    for part in ["names: [\"input\", \"input_1\", \"conv2d\", \"conv2d\"]", "calls: [input, input_1, conv2d, conv2d_]"] {
        assert!(rust.contains(&packed(part)), "{part}\n\n{rust}");
    }
    assert!(rust.contains(&packed("8×8×3, 6×6×3 → 8×8×4, 6×6×4, 112 parameters.")), "{rust}");
}

#[test]
fn frozen_layers_say_so() {
    let rust = rust(&format!(
        "{RESIDUAL} Net {{ i = Input(8, 8, 4); x = residual(4, frozen)(i); x = Conv2D(4, 1, trainable=False)(x); x = Conv2D(2, 1, frozen=false)(x); }}"
    ));
    assert_eq!(rust.matches("frozen: true").count(), 5, "{rust}");
}

#[test]
fn sequential_is_a_body_and_a_part() {
    let of = |body: &str| rust(&format!("Net {{ {body} }}"));
    let whole = of("Sequential([Input(4, 4, 1), Flatten(), Dense(3, softmax)])");
    assert_eq!(whole, of("i = Input(4, 4, 1); x = Flatten()(i); x = Dense(3, softmax)(x);"));
    let part = of("i = Input(4, 4, 1); x = Sequential([Flatten(), Dense(3, softmax)])(i);");
    assert!(part.contains("self.dense.forward(&self.flatten.forward(&i, cx)?, &cx.last())?"), "{part}");
}

#[test]
fn mistakes_in_blocks_are_reported_once_and_say_where() {
    for (models, token, words) in [
        (
            "Net { i = Input(9, 9, 4); for f in [4, 8, 16] { i2 = residual(f)(i); x = Flatten()(i2); } }",
            "+",
            &["`y` 9×9×8 and `x` 9×9×4", "note: in `residual(8)`, where `f` is 8", "Conv2D(8, 1)(x)"][..],
        ),
        (
            "block deep()(x) { x = Conv2D(2, 5)(x); Conv2D(2, 5)(x) }
             Net { i = Input(7, 7, 1); x = residual(1)(i); x = deep()(x); x = deep()(x); }",
            "5",
            &["kernel 5×5 does not fit the 3×3 image `x`", "in `deep()`"],
        ),
        ("Net { i = Input(8, 8, 4); x = residul(4)(i); }", "residul", &["unknown layer `residul`", "did you mean `residual`?"]),
        (
            "Net { i = Input(8, 8, 4); x = residual()(i); }",
            "()",
            &["`filters` of `residual` is missing", "residual(filters, stride=1)(x)"],
        ),
        ("Net { i = Input(8, 8, 4); x = residual(4, 1, 1)(i); }", "1", &["takes no further parameter"]),
        ("Net { i = Input(8, 8, 4); x = residual(4, strid=1)(i); }", "strid", &["did you mean `stride`?"]),
        ("Net { i = Input(8, 8, 4); x = residual(4)(i, i); }", "(i , i)", &["takes 1 tensor, found 2"]),
        ("Net { i = Input(8, 8, 4); x = residual(4); }", "residual", &["takes 1 tensor, found 0"]),
        ("Net { i = Input(8, 8, 4); x = residual(i); }", "i", &["`i` is a tensor"]),
        ("Net { i = Input(8, 8, 4); (x, y) = residual(4)(i); }", "x y", &["2 names for 1 tensor"]),
        ("block two()(x) { (x, x) } Net { i = Input(4); r = two()(i); }", "r", &["1 name for 2 tensors", "(a, b)"]),
        ("block a()(x) { b()(x) } block b()(x) { a()(x) } Net { i = Input(4); x = a()(i); }", "a", &["made of itself"]),
        ("block a()(x) { x = Dense(2)(x); } Net { i = Input(4); x = a()(i); }", "a", &["gives no tensor", "such as `x`"]),
        ("block a()(x) { y = Dense(2)(x); x } Net { i = Input(4); x = a()(i); }", "y", &["`y` is never used", "in `a()`"]),
        ("block a()(x) { i = Input(4); i + x } Net { i = Input(4); x = a()(i); }", "i", &["belongs to a model"]),
        ("block Dense()(x) { x } Net { i = Input(4); x = Flatten()(i); }", "Dense", &["is the name of a layer"]),
        ("Net { i = Input(4); x = Flatten()(i); }", "residual", &["block `residual` is never used"]),
        ("Net { i = Input(4, 4, 1); x = residual(2 - 2)(i); }", "filters", &["`filters` must be at least 1"]),
    ] {
        let models = if token == "+" || models.contains("residual(") || models.contains("residul") || token == "residual" {
            models.to_string()
        } else {
            models.replacen("Net {", "Used { i = Input(2, 2, 1); x = residual(1)(i); } Net {", 1)
        };
        let error = error(&models);
        assert!(error.starts_with(&found(token, "")), "{models}\n{error}");
        for word in words {
            assert!(error.contains(word), "{models} must say {word}\n{error}");
        }
    }
}

#[test]
fn mistakes_with_bound_layers() {
    for (body, token, words) in [
        ("i = Input(8, 8, 3); conv = Conv2D(4, 3); x = Flatten()(i);", "Conv2D", "takes one tensor, found 0"),
        ("i = Input(8, 8, 3); x = Conv2D(4, 3)", "Conv2D", "takes one tensor, found 0"),
        ("i = Input(8, 8, 3); x = Flatten(i);", "i", "is a tensor, not an argument"),
        ("i = Input(8, 8, 3); conv = Conv2D(4, 3); x = Flatten()(conv);", "Conv2D", "takes one tensor, found 0"),
        (
            "i = Input(8, 8, 3); conv = Conv2D(4, 3, same); x = conv(i); x = conv(x);",
            "(x)",
            "has its weights from `i` 8×8×3; `x` is 8×8×4",
        ),
        ("i = Input(8, 8, 3); conv = Conv2D(4, 3); x = conv(5)(i);", "(5)", "has its arguments already"),
        ("i = Input(8, 8, 3); conv = Conv2D(4, 9); x = conv(i);", "(i)", "kernel 9×9 does not fit"),
        ("i = Input(4); x = Dense(4, frozen=3)(i);", "3", "takes `true` or `false`"),
        ("i = Input(4); for n in [4, 5] { i2 = Dense(n)(i); x = Flatten()(i2); } ", "x", "never used"),
        ("i = Input(4); for n in 0..1000000000 { x = Dense(4)(i); }", "0 .. 1000000000", "10000 turns"),
        ("i = Input(4); for n in 0..2 { x = Dense(m)(i); }", "m", "did you mean `n`?"),
    ] {
        let errors = errors(body);
        let is_right = errors.len() == 1 && errors[0].starts_with(&found(token, "")) && errors[0].contains(words);
        assert!(is_right, "{body}\n{errors:#?}");
    }
}

#[test]
fn a_model_with_parameters_is_a_layer_by_another_name() {
    let message = "a layer is called by its name alone, without parameters\n  help: ";
    for (layer, blamed, help) in [
        ("Backbone::<3>()", ":: < 3 >", "name the model before it is a layer: `type Part = Backbone<3>;`, and write `Part()(…)`"),
        ("Backbone<SIDE>()", "< SIDE >", "name the model before it is a layer: `type Part = Backbone<SIDE>;`"),
        ("Conv2D::<3>(8, 3)", ":: < 3 >", "leave them out, and give `Conv2D` its sizes in parentheses"),
    ] {
        let errors = errors(&format!("i = Input(8, 8, 3); x = {layer}(i); y = Flatten()(x);"));
        assert!(errors.len() == 1 && errors[0].starts_with(&found(blamed, &format!("{message}{help}"))), "{layer}: {errors:#?}");
    }
}
