//! Reads one value of an argument: literals, tuples, words, words with values, and arithmetic over whole numbers.

use crate::ast::{Given, Written};
use crate::report::{Mistake, Problem, Result};
use cnn_spec::Value;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{BinOp, Expr, ExprBinary, ExprCall, ExprPath, Lit, Token, UnOp};

/// What `expr` says.
///
/// # Errors
/// If it is a number that no computer would take.
pub fn read(expr: &Expr) -> Result<Given> {
    let written = match expr {
        Expr::Lit(literal) => literal_value(&literal.lit)?,
        Expr::Paren(inner) => read(&inner.expr)?.written,
        Expr::Group(inner) => read(&inner.expr)?.written,
        Expr::Tuple(tuple) => Written::Tuple(elements(&tuple.elems)?),
        Expr::Array(array) => Written::Tuple(elements(&array.elems)?),
        Expr::Infer(_) => Written::Value(Value::Unknown),
        Expr::Path(path) => word(path),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => match read(&unary.expr)?.written {
            Written::Value(Value::Int(n)) => Written::Value(Value::Int(-n)),
            Written::Value(Value::Float(x)) => Written::Value(Value::Float(-x)),
            _ => Written::Expression,
        },
        Expr::Binary(binary) => arithmetic(binary)?,
        Expr::Call(call) => named(call)?,
        _ => Written::Expression,
    };
    Ok(Given { tokens: expr.to_token_stream(), written })
}

/// A name with values of its own, such as `L2(0.001)` or `L1L2(l1=0.1, l2=0.2)`, all of them literals.
fn named(call: &ExprCall) -> Result<Written> {
    let Expr::Path(name) = &*call.func else {
        return Ok(Written::Expression);
    };
    let Some(name) = name.path.get_ident() else {
        return Ok(Written::Expression);
    };
    let mut arguments = Vec::new();
    for argument in &call.args {
        let (keyword, value) = match argument {
            Expr::Assign(assign) => (Some(assign.left.to_token_stream().to_string()), &*assign.right),
            value => (None, value),
        };
        match read(value)?.written {
            Written::Value(value) => arguments.push((keyword, value)),
            _ => return Ok(Written::Expression),
        }
    }
    Ok(Written::Value(Value::Call(name.to_string(), arguments)))
}

fn elements(exprs: &Punctuated<Expr, Token![,]>) -> Result<Vec<Given>> {
    exprs.iter().map(read).collect()
}

fn literal_value(literal: &Lit) -> Result<Written> {
    let value = match literal {
        Lit::Int(int) => Value::Int(int.base10_parse::<u64>().map_err(|_| too_large(int))?.into()),
        Lit::Float(float) => match float.base10_parse::<f64>()? {
            x if x.is_finite() => Value::Float(x),
            _ => return Err(too_large(float)),
        },
        Lit::Str(text) => Value::Word(text.value()),
        Lit::Bool(flag) => Value::Bool(flag.value),
        Lit::Char(char) => {
            let help = format!("write `{:?}`", char.value().to_string());
            return Err(Problem::new("a word has double quotes or none").help(help).at(char));
        }
        _ => return Ok(Written::Expression),
    };
    Ok(Written::Value(value))
}

/// A word; `True`, `False` and `None` are Python's.
fn word(path: &ExprPath) -> Written {
    let Some(ident) = path.path.get_ident() else {
        return Written::Expression;
    };
    match ident.to_string().as_str() {
        "True" => Written::Value(Value::Bool(true)),
        "False" => Written::Value(Value::Bool(false)),
        "None" => Written::Absent,
        word => Written::Name(word.to_string()),
    }
}

fn arithmetic(binary: &ExprBinary) -> Result<Written> {
    let (left, right) = (read(&binary.left)?.written, read(&binary.right)?.written);
    let (Written::Value(Value::Int(a)), Written::Value(Value::Int(b))) = (left, right) else {
        return Ok(Written::Expression);
    };
    let result = match binary.op {
        BinOp::Add(_) => a.checked_add(b),
        BinOp::Sub(_) => a.checked_sub(b),
        BinOp::Mul(_) => a.checked_mul(b),
        BinOp::Div(_) if b == 0 => return Err(Problem::new("division by zero").at(binary)),
        BinOp::Div(_) => a.checked_div(b),
        BinOp::Rem(_) if b == 0 => return Err(Problem::new("remainder of a division by zero").at(binary)),
        BinOp::Rem(_) => a.checked_rem(b),
        _ => return Ok(Written::Expression),
    };
    match result {
        Some(n) => Ok(Written::Value(Value::Int(n))),
        None => Err(too_large(binary)),
    }
}

fn too_large(number: impl ToTokens) -> Mistake {
    Problem::new("number too large").help("use a smaller one").at(number)
}
