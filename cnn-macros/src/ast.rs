//! What was written, before anything is known to be right: models, statements, calls and values.

use cnn_spec as spec;
use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Ident, Visibility};

/// Everything between the braces of `model! { … }`.
#[derive(Default)]
pub struct Source {
    /// The models declared.
    pub models: Vec<Model>,
    /// Whether there is one model without a name, so that the macro is an expression.
    pub is_expression: bool,
}

/// `attrs vis Name { body }`.
pub struct Model {
    pub attrs: Vec<Attribute>,
    pub vis: Visibility,
    pub name: Ident,
    pub body: Body,
}

/// The statements of a model.
pub struct Body {
    /// Whether it starts with `#![strict]`.
    pub strict: bool,
    pub statements: Vec<Statement>,
    pub outline: Option<Outline>,
    /// Whether all of it could be parsed.
    pub is_whole: bool,
}

/// `name = expression;`
pub enum Statement {
    Bind(Ident, Expression),
    /// One that could not be parsed, with the name it binds if that much could.
    Broken(Option<Ident>),
}

/// What a name is bound to.
pub enum Expression {
    Call(Call),
    /// Another name for a tensor.
    Tensor(Ident),
}

impl Expression {
    /// The token it ends with.
    pub fn last_token(&self) -> TokenTree {
        match self {
            Expression::Call(call) => call.tensors.as_ref().map_or(&call.parentheses, |tensors| &tensors.parentheses).clone(),
            Expression::Tensor(name) => name.clone().into(),
        }
    }
}

/// `Layer(arguments)(tensors)`.
pub struct Call {
    pub layer: Ident,
    /// The parentheses around the arguments.
    pub parentheses: TokenTree,
    /// The arguments, or `None` if they could not be parsed.
    pub arguments: Option<Vec<Argument>>,
    /// What the layer is applied to, if there is a second pair of parentheses.
    pub tensors: Option<Tensors>,
}

/// `(x)` or `([a, b])`.
pub struct Tensors {
    pub parentheses: TokenTree,
    pub names: Vec<Ident>,
}

/// `Model(inputs, outputs)`.
pub struct Outline {
    pub keyword: Ident,
    pub inputs: Vec<Ident>,
    pub outputs: Vec<Ident>,
}

/// `value` or `keyword=value`.
pub struct Argument {
    pub keyword: Option<Ident>,
    pub given: Given,
}

/// A value and the tokens it was written with.
#[derive(Clone)]
pub struct Given {
    pub tokens: TokenStream,
    pub written: Written,
}

/// A value as written.
#[derive(Clone)]
pub enum Written {
    /// A number, a switch, `_`, or a string, which is the same as the bare word.
    Value(spec::Value),
    /// An identifier: a word of the language such as `relu`, or the name of something else.
    Name(String),
    /// `None`: as if the argument had been left out.
    Absent,
    Tuple(Vec<Given>),
    /// Any other Rust expression.
    Expression,
}

impl Given {
    /// The bare word or string it is.
    pub fn word(&self) -> Option<&str> {
        match &self.written {
            Written::Name(word) | Written::Value(spec::Value::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// The tokens of the `index`-th element of a tuple, or of the whole if it is none.
    pub fn element(&self, index: usize) -> &TokenStream {
        match &self.written {
            Written::Tuple(elements) => elements.get(index).map_or(&self.tokens, |element| &element.tokens),
            _ => &self.tokens,
        }
    }
}
