//! Values that follow from the parameters of a block and the variables of a loop: arithmetic, comparisons, lists, words with
//! values.

use crate::ast::{Given, Written};
use crate::report::{Mistake, Problem, Result, code};
use crate::suggest;
use crate::value::{read, too_large};
use cnn_spec::Value;
use proc_macro2::{Delimiter, Group, Literal, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{BinOp, Expr, ExprBinary, ExprCall, ExprRange, ExprUnary, RangeLimits, UnOp};

/// The most turns that one loop may take; more are taken for a mistake.
const MOST_TURNS: i128 = 10_000;

/// What the names of parameters and loop variables stand for.
#[derive(Clone, Default)]
pub struct Parameters(Vec<(String, Written)>);

impl Parameters {
    /// Lets `name` stand for `value` from here on.
    pub fn set(&mut self, name: String, value: Written) {
        self.0.push((name, value));
    }

    /// What `name` stands for.
    pub fn get(&self, name: &str) -> Option<&Written> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// Whether a name is written as that of a constant.
pub fn is_in_capitals(name: &str) -> bool {
    !name.contains(char::is_lowercase)
}

/// That a name in `tokens` is that of no parameter, but nearly.
pub fn misspelled(tokens: &TokenStream, parameters: &Parameters) -> Option<Mistake> {
    tokens.clone().into_iter().find_map(|token| match token {
        TokenTree::Group(group) => misspelled(&group.stream(), parameters),
        TokenTree::Ident(name) => {
            let (word, known) = (name.to_string(), parameters.0.iter().rev().map(|(known, _)| known.as_str()));
            let nearest = suggest::nearest(&word, known).filter(|nearest| *nearest != word && !is_in_capitals(&word))?;
            Some(Problem::new(format!("unknown parameter `{word}`")).help(format!("did you mean `{nearest}`?")).at(name))
        }
        _ => None,
    })
}

/// `given` with every parameter in it replaced by what it stands for, as far as that gives a value.
///
/// # Errors
/// If a sum in it has no value, as a division by zero has none.
pub fn evaluate(given: &Given, parameters: &Parameters) -> Result<Given> {
    let written = match &given.written {
        Written::Name(name) => parameters.get(name).unwrap_or(&given.written).clone(),
        Written::Tuple(elements) => {
            Written::Tuple(elements.iter().map(|element| evaluate(element, parameters)).collect::<Result<_>>()?)
        }
        Written::Expression(expr) => compute(expr, parameters)?,
        written => written.clone(),
    };
    Ok(Given { tokens: given.tokens.clone(), written })
}

/// The value of an operation, or the expression as it is if that is not known.
///
/// # Errors
/// If the operation has no value.
pub fn compute(expr: &Expr, parameters: &Parameters) -> Result<Written> {
    let value = match expr {
        Expr::Unary(unary) => negation(unary, parameters)?,
        Expr::Binary(binary) => operation(binary, parameters)?,
        Expr::Call(call) => named(call, parameters)?,
        _ => None,
    };
    Ok(value.map_or_else(|| Written::Expression(Box::new(substituted(expr, parameters))), Written::Value))
}

/// `expr`, whose value only the compiler knows, with every parameter in it replaced by what it stands for.
fn substituted(expr: &Expr, parameters: &Parameters) -> Expr {
    if let Expr::Struct(literal) = expr {
        let mut literal = literal.clone();
        for field in &mut literal.fields {
            let value = substituted(&field.expr, parameters);
            if value.to_token_stream().to_string() != field.expr.to_token_stream().to_string() {
                field.colon_token.get_or_insert_default();
                field.expr = value;
            }
        }
        return Expr::Struct(literal);
    }
    syn::parse2(with_values(expr.to_token_stream(), parameters)).unwrap_or_else(|_| expr.clone())
}

/// The tokens of a name, which may be a raw one such as `r#type`, at `span`.
pub fn constant_called(name: &str, span: Span) -> TokenStream {
    let at = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    name.parse::<TokenStream>().map(|tokens| tokens.into_iter().map(at).collect()).unwrap_or_default()
}

fn with_values(tokens: TokenStream, parameters: &Parameters) -> TokenStream {
    let mut follows_dot = false;
    let replaced = |token: TokenTree| {
        let is_member =
            std::mem::replace(&mut follows_dot, matches!(&token, TokenTree::Punct(punct) if ".:".contains(punct.as_char())));
        match &token {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), with_values(group.stream(), parameters));
                inner.set_span(group.span());
                TokenTree::from(inner).into()
            }
            TokenTree::Ident(name) if !is_member => match parameters.get(&name.to_string()) {
                Some(Written::Value(Value::Int(n))) => {
                    let mut number = Literal::i128_unsuffixed(*n);
                    number.set_span(name.span());
                    TokenTree::from(number).into()
                }
                Some(Written::Value(Value::Float(x))) => {
                    let mut number = Literal::f64_unsuffixed(*x);
                    number.set_span(name.span());
                    TokenTree::from(number).into()
                }
                Some(Written::Name(constant)) => constant_called(constant, name.span()),
                Some(Written::Expression(expr)) => {
                    TokenTree::from(Group::new(Delimiter::Parenthesis, expr.to_token_stream())).into()
                }
                _ => token.into(),
            },
            _ => token.into(),
        }
    };
    tokens.into_iter().map(replaced).collect()
}

fn operand(expr: &Expr, parameters: &Parameters) -> Result<Written> {
    match expr {
        Expr::Paren(inner) => operand(&inner.expr, parameters),
        Expr::Group(inner) => operand(&inner.expr, parameters),
        Expr::Unary(_) | Expr::Binary(_) | Expr::Call(_) => compute(expr, parameters),
        _ => Ok(evaluate(&read(expr)?, parameters)?.written),
    }
}

/// A name with values of its own, such as `L2(0.001)` or `L1L2(l1=0.1, l2=0.2)`.
fn named(call: &ExprCall, parameters: &Parameters) -> Result<Option<Value>> {
    let Expr::Path(name) = &*call.func else { return Ok(None) };
    let Some(name) = name.path.get_ident() else { return Ok(None) };
    let mut arguments = Vec::new();
    for argument in &call.args {
        let (keyword, value) = match argument {
            Expr::Assign(assign) => (Some(assign.left.to_token_stream().to_string()), &*assign.right),
            value => (None, value),
        };
        match plain(operand(value, parameters)?) {
            Some(value) => arguments.push((keyword, value)),
            None => return Ok(None),
        }
    }
    Ok(Some(Value::Call(name.to_string(), arguments)))
}

/// What is written, if it is a value or a list of values; `None` is the word.
fn plain(written: Written) -> Option<Value> {
    match written {
        Written::Value(value) => Some(value),
        Written::Absent => Some(Value::Word("None".into())),
        Written::Tuple(elements) => {
            elements.into_iter().map(|element| plain(element.written)).collect::<Option<_>>().map(Value::Tuple)
        }
        _ => None,
    }
}

fn negation(unary: &ExprUnary, parameters: &Parameters) -> Result<Option<Value>> {
    Ok(match (unary.op, operand(&unary.expr, parameters)?) {
        (UnOp::Neg(_), Written::Value(Value::Int(n))) => Some(Value::Int(-n)),
        (UnOp::Neg(_), Written::Value(Value::Float(x))) => Some(Value::Float(-x)),
        (UnOp::Not(_), Written::Value(Value::Bool(flag))) => Some(Value::Bool(!flag)),
        _ => None,
    })
}

fn operation(binary: &ExprBinary, parameters: &Parameters) -> Result<Option<Value>> {
    use Value::{Bool, Float, Int};
    let (left, right) = (operand(&binary.left, parameters)?, operand(&binary.right, parameters)?);
    Ok(match (&left, &right) {
        (Written::Value(Int(a)), Written::Value(Int(b))) => whole(*a, *b, binary)?,
        (Written::Value(Float(a)), Written::Value(Float(b))) => real(*a, *b, &binary.op),
        (Written::Value(Int(a)), Written::Value(Float(b))) => real(*a as f64, *b, &binary.op),
        (Written::Value(Float(a)), Written::Value(Int(b))) => real(*a, *b as f64, &binary.op),
        (Written::Value(Bool(a)), Written::Value(Bool(b))) => logical(*a, *b, &binary.op),
        _ => match (word(&left, &binary.left, parameters), word(&right, &binary.right, parameters)) {
            // Of two names that nothing stands for, one is a misspelled parameter.
            ((a, is_known), (b, is_also_known)) if is_known || is_also_known => match (a, b) {
                (Some(a), Some(b)) => equality(&a, &b, &binary.op),
                _ => None,
            },
            _ => None,
        },
    })
}

/// The word that `written` is, `None` standing for itself, and whether it comes from a parameter or is a string.
fn word(written: &Written, expr: &Expr, parameters: &Parameters) -> (Option<String>, bool) {
    let is_parameter =
        matches!(expr, Expr::Path(path) if path.path.get_ident().is_some_and(|name| parameters.get(&name.to_string()).is_some()));
    match written {
        Written::Value(Value::Word(word)) => (Some(word.clone()), true),
        Written::Name(word) => (Some(word.clone()), is_parameter),
        Written::Absent => (Some("None".into()), is_parameter),
        // `None` differs from everything that has a value.
        Written::Value(value) => (Some(value.to_string()), is_parameter),
        _ => (None, false),
    }
}

fn whole(a: i128, b: i128, binary: &ExprBinary) -> Result<Option<Value>> {
    let result = match binary.op {
        BinOp::Add(_) => a.checked_add(b),
        BinOp::Sub(_) => a.checked_sub(b),
        BinOp::Mul(_) => a.checked_mul(b),
        BinOp::Div(_) if b == 0 => return Err(Problem::new("division by zero").help("divide by another number").at(binary)),
        BinOp::Div(_) => a.checked_div(b),
        BinOp::Rem(_) if b == 0 => {
            return Err(Problem::new("remainder of a division by zero").help("divide by another number").at(binary));
        }
        BinOp::Rem(_) => a.checked_rem(b),
        op => return Ok(comparison(&a, &b, &op)),
    };
    match result {
        Some(n) => Ok(Some(Value::Int(n))),
        None => Err(too_large(binary)),
    }
}

fn real(a: f64, b: f64, op: &BinOp) -> Option<Value> {
    let result = match op {
        BinOp::Add(_) => a + b,
        BinOp::Sub(_) => a - b,
        BinOp::Mul(_) => a * b,
        BinOp::Div(_) => a / b,
        op => return comparison(&a, &b, op),
    };
    result.is_finite().then_some(Value::Float(result))
}

fn comparison<T: PartialOrd>(a: &T, b: &T, op: &BinOp) -> Option<Value> {
    let result = match op {
        BinOp::Lt(_) => a < b,
        BinOp::Le(_) => a <= b,
        BinOp::Gt(_) => a > b,
        BinOp::Ge(_) => a >= b,
        op => return equality(a, b, op),
    };
    Some(Value::Bool(result))
}

fn logical(a: bool, b: bool, op: &BinOp) -> Option<Value> {
    match op {
        BinOp::And(_) => Some(Value::Bool(a && b)),
        BinOp::Or(_) => Some(Value::Bool(a || b)),
        op => equality(&a, &b, op),
    }
}

fn equality<T: PartialEq>(a: &T, b: &T, op: &BinOp) -> Option<Value> {
    match op {
        BinOp::Eq(_) => Some(Value::Bool(a == b)),
        BinOp::Ne(_) => Some(Value::Bool(a != b)),
        _ => None,
    }
}

/// Whether the condition of an `if` holds.
///
/// # Errors
/// If that is not known while the macro expands.
pub fn condition(given: &Given, parameters: &Parameters) -> Result<bool> {
    match evaluate(given, parameters)?.written {
        Written::Value(Value::Bool(holds)) => Ok(holds),
        _ if let Some(mistake) = misspelled(&given.tokens, parameters) => Err(mistake),
        _ => Err(Problem::new(format!("{} is neither true nor false while the model is checked", code(&given.tokens)))
            .help("use numbers, parameters of the block and variables of loops, as in `stride > 1`")
            .at(&given.tokens)),
    }
}

/// The values that a loop goes through.
///
/// # Errors
/// If they are not known while the macro expands, or there are too many.
pub fn values(given: &Given, parameters: &Parameters) -> Result<Vec<Written>> {
    let problem = |message: String, help: &str| {
        misspelled(&given.tokens, parameters).unwrap_or_else(|| Problem::new(message).help(help).at(&given.tokens))
    };
    let list = match evaluate(given, parameters)?.written {
        Written::Tuple(elements) => elements.into_iter().map(|element| element.written).collect(),
        Written::Expression(expr) => match &*expr {
            Expr::Range(range) => match bounds(range, parameters)? {
                Some((start, end)) if end.saturating_sub(start) > MOST_TURNS => {
                    let message = format!("a loop may take {MOST_TURNS} turns at most, found {}", end - start);
                    return Err(problem(message, "use a smaller range"));
                }
                Some((start, end)) => (start..end).map(|n| Written::Value(Value::Int(n))).collect(),
                None => {
                    let message = format!("the range {} has no numbers at both ends", code(&given.tokens));
                    return Err(problem(message, "use numbers and parameters, as in `0..3`"));
                }
            },
            _ => {
                let message = format!("{} is no list and no range", code(&given.tokens));
                return Err(problem(message, "use one such as `[64, 128]` or `0..3`"));
            }
        },
        _ => {
            let message = format!("{} is no list and no range", code(&given.tokens));
            return Err(problem(message, "use one such as `[64, 128]` or `0..3`"));
        }
    };
    Ok(list)
}

/// The first number of a range and the one after its last.
fn bounds(range: &ExprRange, parameters: &Parameters) -> Result<Option<(i128, i128)>> {
    let number = |expr: &Option<Box<Expr>>| -> Result<Option<i128>> {
        let Some(expr) = expr else { return Ok(None) };
        Ok(match operand(expr, parameters)? {
            Written::Value(Value::Int(n)) => Some(n),
            _ => None,
        })
    };
    let (Some(start), Some(end)) = (number(&range.start)?, number(&range.end)?) else { return Ok(None) };
    Ok(Some((start, if matches!(range.limits, RangeLimits::Closed(_)) { end.saturating_add(1) } else { end })))
}

/// A value as it would be written.
pub fn text(written: &Written) -> String {
    match written {
        Written::Value(value) => value.to_string(),
        Written::Name(name) => name.clone(),
        Written::Absent => "None".into(),
        Written::Tuple(elements) => {
            format!("({})", elements.iter().map(|element| text(&element.written)).collect::<Vec<_>>().join(", "))
        }
        Written::Expression(expr) => expr.to_token_stream().to_string(),
    }
}
