//! Reads one value of an argument: literals, tuples and words.

use crate::ast::{Given, Written};
use crate::report::{Mistake, Problem, Result};
use cnn_spec::Value;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, ExprPath, Lit, Token};

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
        _ => Written::Expression(Box::new(expr.clone())),
    };
    Ok(Given { tokens: expr.to_token_stream(), written })
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
        _ => return Ok(Written::Expression(Box::new(Expr::Lit(ExprLit { attrs: Vec::new(), lit: literal.clone() })))),
    };
    Ok(Written::Value(value))
}

/// A word; `True`, `False` and `None` are Python's.
fn word(path: &ExprPath) -> Written {
    if let [module, name] = path.path.segments.iter().map(|segment| &segment.ident).collect::<Vec<_>>().as_slice()
        && *module == "kernels"
    {
        return Written::Name(format!("{module}::{name}"));
    }
    let Some(ident) = path.path.get_ident() else {
        return Written::Expression(Box::new(Expr::Path(path.clone())));
    };
    match ident.to_string().as_str() {
        "True" => Written::Value(Value::Bool(true)),
        "False" => Written::Value(Value::Bool(false)),
        "None" => Written::Absent,
        word => Written::Name(word.to_string()),
    }
}

/// That a number is one no computer would take.
pub fn too_large(number: impl ToTokens) -> Mistake {
    Problem::new("number too large").help("use a smaller one").at(number)
}
