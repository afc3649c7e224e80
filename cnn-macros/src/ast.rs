//! What was written, before anything is known to be right: models, statements, calls and values.

use cnn_spec as spec;
use proc_macro2::{TokenStream, TokenTree};
use std::cell::OnceCell;
use syn::{Attribute, Expr, Generics, Ident, Visibility};

/// Everything between the braces of `model! { … }`.
#[derive(Default)]
pub struct Source {
    /// The blocks that the models may use.
    pub blocks: Vec<Block>,
    /// The models declared.
    pub models: Vec<Model>,
    /// Whether there is one model without a name, so that the macro is an expression.
    pub is_expression: bool,
}

/// `block Name(parameters)(tensors) { statements value }`: statements that take the place of its calls.
pub struct Block {
    pub name: Ident,
    pub parameters: Vec<Parameter>,
    pub tensors: Vec<Ident>,
    pub statements: Vec<Statement>,
    /// The tensors it gives, or `None` if that could not be parsed.
    pub value: Option<Vec<Expression>>,
    /// Whether its parameters or tensors could not be parsed either, so that its calls cannot be checked.
    pub is_broken: bool,
}

/// `name` or `name = default`.
pub struct Parameter {
    pub name: Ident,
    pub default: Option<Given>,
}

/// `attrs vis Name { body }`.
pub struct Model {
    pub attrs: Vec<Attribute>,
    pub vis: Visibility,
    pub name: Ident,
    /// The sizes it is declared for: `<const H: usize>`.
    pub generics: Generics,
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

/// One statement of a model or a block.
pub enum Statement {
    /// `name = expression;`, `name: shape = expression;` or `(a, b) = expression;`
    Bind(Vec<Ident>, Option<Given>, Expression),
    For(For),
    If(If),
    /// One without its `;`, and the number of the mistake that says so if nothing worse is known of it.
    Unended(Box<Statement>, Option<usize>),
    /// One that could not be parsed, with the names it binds if that much could.
    Broken(Vec<Ident>),
}

/// `for pattern in values { … }`.
pub struct For {
    pub pattern: Pattern,
    /// A list or a range.
    pub values: Given,
    pub statements: Vec<Statement>,
}

/// What a loop calls its values; `None` is `_`.
pub enum Pattern {
    One(Option<Ident>),
    Tuple(Vec<Option<Ident>>),
}

/// `if condition { … } else if condition { … } else { … }`.
pub struct If {
    pub branches: Vec<(Given, Vec<Statement>)>,
    pub otherwise: Vec<Statement>,
}

impl Statement {
    /// The names that it or a statement inside it may bind.
    pub fn names(&self) -> Vec<&Ident> {
        match self {
            Statement::Bind(names, ..) | Statement::Broken(names) => names.iter().collect(),
            Statement::Unended(statement, _) => statement.names(),
            Statement::For(For { statements, .. }) => statements.iter().flat_map(Statement::names).collect(),
            Statement::If(If { branches, otherwise }) => {
                branches.iter().flat_map(|(_, then)| then).chain(otherwise).flat_map(Statement::names).collect()
            }
        }
    }
}

/// What a name is bound to.
pub enum Expression {
    Call(Call),
    /// Another name for a tensor.
    Tensor(Ident),
    /// `a + b + c`.
    Sum {
        plus: TokenTree,
        terms: Vec<Expression>,
    },
}

impl Expression {
    /// The token it ends with.
    pub fn last_token(&self) -> TokenTree {
        match self {
            Expression::Call(call) => call.tensors.as_ref().map_or(&call.parentheses, |tensors| &tensors.parentheses).clone(),
            Expression::Tensor(name) => name.clone().into(),
            Expression::Sum { plus, terms } => terms.last().map_or_else(|| plus.clone(), Expression::last_token),
        }
    }
}

/// `Layer(arguments)(tensors)`, where a block or a name bound to a layer may stand for the layer.
pub struct Call {
    pub layer: Ident,
    /// The parentheses around the arguments.
    pub parentheses: TokenTree,
    /// The arguments, or `None` if they could not be parsed.
    pub arguments: Option<Vec<Argument>>,
    /// What the layer is applied to, if there is a second pair of parentheses.
    pub tensors: Option<Tensors>,
    /// What stands in the first pair, once the name turns out to be that of a layer with its arguments: tensors.
    pub reread: OnceCell<Vec<Expression>>,
}

/// `(x)` or `([a, b])`.
pub struct Tensors {
    pub parentheses: TokenTree,
    pub expressions: Vec<Expression>,
}

/// `Model(inputs, outputs)`.
pub struct Outline {
    pub keyword: Ident,
    pub inputs: Vec<Ident>,
    pub outputs: Vec<Ident>,
}

/// `value` or `keyword=value`.
#[derive(Clone)]
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
    Expression(Box<Expr>),
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
