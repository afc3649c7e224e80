//! What stands in braces besides models: the declaration of a block, the turns of a loop, the sides of an `if`.

use super::{call, expression, skip_block, skip_statement, starts_statement, statement};
use crate::ast::{Block, Expression, For, If, Parameter, Pattern, Statement};
use crate::report::{Errors, Problem, Result, spaced};
use crate::value;
use proc_macro2::{TokenStream, TokenTree};
use syn::parse::ParseStream;
use syn::{Attribute, Expr, Ident, Token, token};

/// Whether a block is declared here, perhaps with a comment before it.
pub fn starts_block(input: ParseStream) -> bool {
    let fork = input.fork();
    if fork.peek(Token![#]) && !fork.peek2(Token![!]) && fork.call(Attribute::parse_outer).is_err() {
        return false;
    }
    fork.peek(Ident) && fork.peek2(Ident) && fork.parse::<Ident>().is_ok_and(|keyword| keyword == "block")
}

/// `block name(parameters)(tensors) { statements value }`.
///
/// # Errors
/// If it has no name; what else is wrong with it is in `errors`.
pub fn block(input: ParseStream, errors: &mut Errors) -> Result<Block> {
    input.call(Attribute::parse_outer)?;
    input.parse::<Ident>()?;
    let name: Ident = input.parse()?;
    Ok(declaration(input, &name, errors).unwrap_or_else(|error| {
        errors.push(error);
        skip_block(input);
        Block { name, parameters: Vec::new(), tensors: Vec::new(), statements: Vec::new(), value: None, is_broken: true }
    }))
}

/// What comes after the name of a block.
fn declaration(input: ParseStream, name: &Ident, errors: &mut Errors) -> Result<Block> {
    let first: Option<TokenTree> = if input.peek(token::Paren) { input.fork().parse().ok() } else { None };
    let problem = || {
        let parameters = first.map_or_else(|| "(filters)".to_string(), |first| spaced(&first.into()));
        let help = format!("declare it as `block {name}{parameters}(x) {{ … }}`");
        Problem::new(format!("expected the parameters and the tensors of `{name}`, each in parentheses")).help(help)
    };
    if !input.peek(token::Paren) {
        return Err(problem().at(name));
    }
    let (_, content) = call::group(input)?;
    let parameters = call::whole(&content, parameters)?;
    if !input.peek(token::Paren) {
        return Err(problem().at(name));
    }
    let (parentheses, content) = call::group(input)?;
    let tensors = call::whole(&content, tensors)?;
    if tensors.is_empty() {
        return Err(Problem::new(format!("`{name}` takes no tensor"))
            .help("name those it is applied to, as in `(x)`")
            .at(parentheses));
    }
    if !input.peek(token::Brace) {
        let help = "write them after it, as in `{ Conv2D(32, 3)(x) }`";
        return Err(Problem::new(format!("expected the statements of `{name}` in braces")).help(help).at(name));
    }
    let (_, content) = call::group(input)?;
    let (statements, value) = body(&content, name, errors);
    Ok(Block { name: name.clone(), parameters, tensors, statements, value, is_broken: false })
}

fn parameters(input: ParseStream) -> Result<Vec<Parameter>> {
    let mut parameters: Vec<Parameter> = Vec::new();
    while !input.is_empty() {
        let name = input.parse::<Ident>().map_err(|_| {
            Problem::new("expected the name of a parameter").help("as in `filters` or `stride = 1`").at_next(input)
        })?;
        if parameters.iter().any(|parameter| parameter.name == name) {
            return Err(Problem::new(format!("the parameter `{name}` is declared twice")).help("rename one of them").at(name));
        }
        let default = match input.parse::<Option<Token![=]>>()? {
            Some(equals) if input.is_empty() || input.peek(Token![,]) => {
                return Err(Problem::new(format!("expected a default for `{name}`")).at(equals));
            }
            Some(_) => Some(value::read(&input.parse::<Expr>()?)?),
            None => None,
        };
        parameters.push(Parameter { name, default });
        comma(input)?;
    }
    Ok(parameters)
}

fn tensors(input: ParseStream) -> Result<Vec<Ident>> {
    let mut tensors: Vec<Ident> = Vec::new();
    while !input.is_empty() {
        let name = input.parse::<Ident>().map_err(|_| Problem::new("expected the name of a tensor").at_next(input))?;
        if tensors.contains(&name) {
            return Err(Problem::new(format!("the tensor `{name}` is declared twice")).help("rename one of them").at(name));
        }
        tensors.push(name);
        comma(input)?;
    }
    Ok(tensors)
}

fn comma(input: ParseStream) -> Result<()> {
    match input.is_empty() || input.parse::<Token![,]>().is_ok() {
        true => Ok(()),
        false => Err(Problem::new("expected `,` before this").at_next(input)),
    }
}

/// The statements of the block `name`, and after them what it gives.
fn body(input: ParseStream, name: &Ident, errors: &mut Errors) -> (Vec<Statement>, Option<Vec<Expression>>) {
    let (before, mut statements) = (errors.len(), Vec::new());
    while !input.is_empty() {
        let is_binding = starts_statement(input) || (input.peek(token::Paren) && input.peek2(Token![=]));
        if is_binding || input.peek(Token![for]) || input.peek(Token![if]) || input.peek2(Token![:]) && !input.peek2(Token![::]) {
            statements.push(statement(input, errors));
            continue;
        }
        match value(input, errors) {
            Ok(value) => return (statements, Some(value)),
            Err(error) => {
                errors.push(error);
                skip_statement(input);
                if input.is_empty() {
                    return (statements, None);
                }
                statements.push(Statement::Broken(Vec::new()));
            }
        }
    }
    if errors.len() == before {
        let last = statements.iter().rev().find_map(|statement| statement.names().last().map(ToString::to_string));
        let help = match last {
            Some(last) => format!("end it with its value, without `;`, such as `{last}`"),
            None => "end it with its value, such as `Conv2D(32, 3)(x)`".to_string(),
        };
        errors.push(Problem::new(format!("block `{name}` gives no tensor")).help(help).at(name));
    }
    (statements, None)
}

/// `expression` or `(a, b)`, the last thing in a block.
fn value(input: ParseStream, errors: &mut Errors) -> Result<Vec<Expression>> {
    if let Some(keyword) = input.parse::<Option<Token![return]>>()? {
        errors.push(Problem::new("a block ends with its value alone").help("leave out `return`").at(keyword));
    }
    let is_list = (input.peek(token::Paren) || input.peek(token::Bracket)) && !input.peek2(Token![+]);
    let value = if is_list {
        let (_, content) = call::group(input)?;
        call::whole(&content, |content| call::tensors(content, errors))?
    } else {
        vec![expression::expression(input, errors)?]
    };
    if value.is_empty() {
        return Err(Problem::new("expected the tensors that the block gives").at_next(input));
    }
    if input.peek(Token![;]) && !input.peek2(Token![;]) {
        let semicolon: Token![;] = input.parse()?;
        if input.is_empty() {
            errors.push(Problem::new("the value of a block has no `;`").help("leave it out").at(semicolon));
            return Ok(value);
        }
        return Err(Problem::new("this has no name").help("bind it, as in `y = …;`").at(last_token(&value)));
    }
    match input.is_empty() {
        true => Ok(value),
        false => Err(Problem::new("expected the end of the block, or a name and `=` before its value").at_next(input)),
    }
}

fn last_token(value: &[Expression]) -> TokenStream {
    value.last().map(|expression| TokenStream::from(expression.last_token())).unwrap_or_default()
}

/// `for pattern in values { statements }`.
///
/// # Errors
/// If its head cannot be parsed.
pub fn for_loop(input: ParseStream, errors: &mut Errors) -> Result<Statement> {
    let keyword: Token![for] = input.parse()?;
    let help = "write a loop such as `for filters in [32, 64] { … }` or `for _ in 0..3 { … }`";
    let pattern = pattern(input).map_err(|_| Problem::new("expected the variable of the loop").help(help).at(keyword))?;
    let help = match &pattern {
        Pattern::One(Some(name)) => format!("write a list or a range after it: `for {name} in [32, 64] {{ … }}`"),
        _ => help.to_string(),
    };
    let Ok(word) = input.parse::<Token![in]>() else {
        return Err(Problem::new("expected `in` and the values of the loop").help(help).at(keyword));
    };
    if input.is_empty() || input.peek(token::Brace) {
        return Err(Problem::new("expected the values of the loop").help(help).at(word));
    }
    let values = Expr::parse_without_eager_brace(input)?;
    if let Expr::Call(call) = &values
        && matches!(&*call.func, Expr::Path(path) if path.path.is_ident("range"))
    {
        return Err(Problem::new("a range is written with `..`").help("write `0..3` for `range(3)`").at(&values));
    }
    let values = value::read(&values)?;
    let statements = braces(input, errors)?;
    Ok(Statement::For(For { pattern, values, statements }))
}

fn pattern(input: ParseStream) -> Result<Pattern> {
    if !input.peek(token::Paren) {
        return variable(input).map(Pattern::One);
    }
    let (_, content) = call::group(input)?;
    call::whole(&content, |content| {
        let mut variables = Vec::new();
        while !content.is_empty() {
            variables.push(variable(content)?);
            comma(content)?;
        }
        Ok(Pattern::Tuple(variables))
    })
}

fn variable(input: ParseStream) -> Result<Option<Ident>> {
    match input.parse::<Option<Token![_]>>()? {
        Some(_) => Ok(None),
        None => Ok(Some(input.parse()?)),
    }
}

/// `if condition { statements } else if condition { statements } else { statements }`.
///
/// # Errors
/// If a condition or a brace is missing.
pub fn if_else(input: ParseStream, errors: &mut Errors) -> Result<Statement> {
    let mut branches = Vec::new();
    loop {
        let keyword: Token![if] = input.parse()?;
        if input.is_empty() || input.peek(token::Brace) {
            return Err(Problem::new("expected a condition").help("write one such as `if stride > 1 { … }`").at(keyword));
        }
        let condition = value::read(&Expr::parse_without_eager_brace(input)?)?;
        branches.push((condition, braces(input, errors)?));
        if input.parse::<Option<Token![else]>>()?.is_none() {
            return Ok(Statement::If(If { branches, otherwise: Vec::new() }));
        }
        if !input.peek(Token![if]) {
            let otherwise = braces(input, errors)?;
            return Ok(Statement::If(If { branches, otherwise }));
        }
    }
}

fn braces(input: ParseStream, errors: &mut Errors) -> Result<Vec<Statement>> {
    if !input.peek(token::Brace) {
        return Err(Problem::new("expected statements in braces").help("write `{ … }`").at_next(input));
    }
    let (_, content) = call::group(input)?;
    let mut statements = Vec::new();
    while !content.is_empty() {
        statements.push(statement(&content, errors));
    }
    Ok(statements)
}

/// `(a, b)`, the names that a statement binds to the outputs of a block.
///
/// # Errors
/// If something else stands in the parentheses.
pub fn names(input: ParseStream) -> Result<Vec<Ident>> {
    let group: TokenTree = input.fork().parse()?;
    let (_, content) = call::group(input)?;
    let names = call::whole(&content, tensors)?;
    match names.is_empty() {
        true => Err(Problem::new("expected the names of tensors").at(group)),
        false => Ok(names),
    }
}
