//! Models while they are being typed: cut after each character, with what is open closed as editors do.

use crate::compile;
use crate::report::{Errors, Mistake};
use proc_macro2::{LineColumn, TokenStream};
use std::collections::BTreeSet;

/// Correct models: together they have everything the language has.
const MODELS: &[&str] = &[
    r#"/// A residual network.
block residual(filters, stride = 1)(x) {
    y = Conv2D(filters, 3, stride=stride, padding="same", use_bias=false)(x);
    y = BatchNormalization()(y);
    if stride > 1 {
        x = Conv2D(filters, 1, stride=stride)(x);
    } else if stride == 0 {
        x = x;
    }
    ReLU()(y + x)
}
#[derive(Debug)]
pub(crate) Net {
    #![strict]
    i = Input(33, 33, 4);
    x = residual(4)(i); // as wide as its input
    for (filters, depth) in [(4, 2), (8, 1)] {
        for _ in 0..depth {
            x = residual(filters, stride=filters / 4)(x);
        }
    }
    x = GlobalAveragePooling2D()(x);
    x = Dense(4 * 8, activation="relu", kernel_regularizer=L2(0.001), name=head, frozen)(x);
    Model([i], [x])
}
"#,
    r#"block pair(rate = 0.5)(x) {
    y = Sequential([Conv2D(4, 1), ReLU()])(x);
    (x, SpatialDropout2D(rate)(y))
}
pub Two {
    left = Input(8, 8, 3);
    right = Input(shape=(8, 8, 3));
    conv = Conv2D(4, (3, 3), same, relu);
    a = conv(left);
    b = conv(right);
    (a, c) = pair()(a);
    x = Concatenate(axis=-1)([a, b, c]);
    x = Flatten()(x);
    y = Dense(3)(x) + Dense(3)(Dropout(0.2)(x));
    Model([left, right], [x, y])
}
"#,
    "Small {\n    Sequential([\n        Input(_, 28, 1),\n        Conv2D(filters=8, kernel_size=3),\n        GlobalMaxPooling2D(),\n        \
     Dense(10, softmax),\n    ])\n}\n",
];

/// The model so far, as the compiler sees it.
struct Prefix<'a> {
    typed: &'a str,
    tokens: TokenStream,
}

impl<'a> Prefix<'a> {
    /// `source` up to each character where that can be read at all.
    fn all(source: &'a str) -> impl Iterator<Item = Prefix<'a>> {
        let ends = source.char_indices().map(|(end, _)| end).chain([source.len()]);
        ends.filter_map(|end| {
            let typed = &source[..end];
            let closed = typed.to_string() + &closing(typed);
            Some(Prefix { typed, tokens: closed.parse().ok()? })
        })
    }

    /// Whether what comes next is a new statement, and not the rest of one.
    fn is_between_statements(&self) -> bool {
        self.typed.trim_end().is_empty() || self.typed.trim_end().ends_with([';', '{', '}'])
    }

    /// Where the unfinished statement starts.
    fn unfinished(&self) -> LineColumn {
        let finished = self.typed.rfind([';', '{', '}']).map_or(0, |end| end + 1);
        let line = self.typed[..finished].matches('\n').count() + 1;
        let column = self.typed[..finished].rsplit('\n').next().unwrap_or_default().chars().count();
        LineColumn { line, column }
    }

    /// Whether what is typed is the list of tensors that leave a model or a block, which is whole wherever it is closed.
    fn is_in_a_list(&self) -> bool {
        let unfinished = self.typed.rsplit([';', '{', '}']).next().unwrap_or_default();
        unfinished.contains("Model") || !unfinished.contains('=')
    }

    /// Whether the mistake may be reported although not all has been typed.
    fn excuses(&self, mistake: &Mistake) -> bool {
        let message = mistake.to_string();
        let is_yet_to_come = |words: &[&str]| words.iter().any(|words| message.contains(words));
        // What a block gives and the input of a model come after their names, which these errors are about.
        let needs_more = is_yet_to_come(&["gives no tensor", "this model has no input"]);
        let is_unused = is_yet_to_come(&["is never used", "reaches no output"]);
        let is_pending = is_yet_to_come(&["or later by its name"]);
        match self.is_between_statements() {
            true => needs_more || is_unused || is_pending,
            false => needs_more || (is_unused && self.is_in_a_list()) || (mistake.start() >= self.unfinished() && !is_unused),
        }
    }
}

/// What closes everything that is open in `typed`.
fn closing(typed: &str) -> String {
    let mut open = Vec::new();
    for line in typed.lines() {
        let code = line.split("//").next().unwrap_or_default();
        for character in code.chars() {
            match character {
                '(' => open.push(')'),
                '[' => open.push(']'),
                '{' => open.push('}'),
                ')' | ']' | '}' => drop(open.pop()),
                _ => {}
            }
        }
    }
    // A comment that is being typed ends before anything is closed.
    let is_comment = typed.rsplit('\n').next().is_some_and(|line| line.contains("//"));
    open.into_iter()
        .rev()
        .fold(if is_comment { "\n".to_string() } else { String::new() }, |closed, close| closed + &close.to_string())
}

/// The structs of the expansion, their fields, and whether there is a `forward`.
fn known(expansion: &TokenStream) -> Option<BTreeSet<String>> {
    let file: syn::File = syn::parse2(expansion.clone()).ok()?;
    let mut known = BTreeSet::new();
    for item in &file.items {
        match item {
            syn::Item::Struct(model) => {
                known.insert(model.ident.to_string());
                known.extend(model.fields.iter().filter_map(|field| Some(format!("{}.{}", model.ident, field.ident.as_ref()?))));
            }
            syn::Item::Impl(block) if block.trait_.is_none() => {
                let methods =
                    block.items.iter().filter_map(|item| if let syn::ImplItem::Fn(method) = item { Some(method) } else { None });
                known.extend(methods.filter(|method| method.sig.ident == "forward").map(|_| "forward".to_string()));
            }
            _ => {}
        }
    }
    Some(known)
}

#[test]
fn every_prefix_is_one_unfinished_statement() {
    let (mut checked, mut wrong) = (0, Vec::new());
    for source in MODELS {
        let mut finished = BTreeSet::new();
        for prefix in Prefix::all(source) {
            let mut errors = Errors::default();
            let expansion = compile(prefix.tokens.clone(), &mut errors);
            let mut blame = |what: String| wrong.push(format!("{what}, after\n{}", tail(prefix.typed)));
            checked += 1;
            let is_rust =
                syn::parse2::<syn::File>(expansion.clone()).is_ok() || syn::parse2::<syn::Expr>(expansion.clone()).is_ok();
            if !is_rust {
                blame("the expansion is not Rust".into());
            }
            for mistake in errors.iter().filter(|mistake| !prefix.excuses(mistake)) {
                blame(format!("`{mistake}` is not about what is unfinished"));
            }
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            if all.len() > 1 && !prefix.is_between_statements() {
                blame(format!("{} errors: {}", all.len(), all.join(" | ")));
            }
            let known = known(&expansion).unwrap_or_default();
            if let Some(lost) = finished.difference(&known).next() {
                blame(format!("`{lost}` is lost"));
            }
            if prefix.is_between_statements() {
                finished.extend(known);
            }
        }
    }
    assert!(checked > 1200, "{checked}");
    assert!(wrong.is_empty(), "{} of {checked}\n{}", wrong.len(), wrong.join("\n\n"));
}

/// The last lines.
fn tail(typed: &str) -> String {
    let lines: Vec<&str> = typed.lines().collect();
    lines[lines.len().saturating_sub(3)..].join("\n")
}
