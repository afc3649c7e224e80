//! What each layer of a model is called: the name it was given, or as Keras counts, `conv2d`, `conv2d_1`, ….

use crate::ast::{Argument, Body, Call, Expression, Given, Statement};
use crate::report::{Errors, Problem};
use cnn_spec as spec;
use proc_macro2::Span;
use std::collections::{HashMap, HashSet};
use syn::Ident;

/// A name for each statement that calls a known layer.
///
/// Names that were given win over automatic ones, wherever they stand.
pub fn assign(body: &Body, errors: &mut Errors) -> Vec<Option<Ident>> {
    let given: Vec<Option<Ident>> = body.statements.iter().map(|statement| given_name(statement, errors)).collect();
    let mut taken = HashSet::new();
    for name in given.iter().flatten() {
        if !taken.insert(name.to_string()) {
            let free = (1..).map(|count| format!("{name}_{count}")).find(|name| !taken.contains(name));
            let help = format!("use another, such as `{}`", free.unwrap_or_default());
            errors.push(Problem::new(format!("the name `{name}` is taken by an earlier layer")).help(help).at(name));
        }
    }
    let mut counts = HashMap::new();
    let automatic = |(statement, given): (&Statement, Option<Ident>)| {
        let call = called(statement)?;
        given.or_else(|| {
            let name = next(spec::Layer::snake_name_of(&call.layer.to_string())?, &mut counts, &taken);
            Some(Ident::new(&name, call.layer.span().resolved_at(Span::mixed_site())))
        })
    };
    body.statements.iter().zip(given).map(automatic).collect()
}

/// The next free name of a kind.
fn next(kind: &'static str, counts: &mut HashMap<&'static str, usize>, taken: &HashSet<String>) -> String {
    let count = counts.entry(kind).or_insert(0);
    loop {
        let name = if *count == 0 { kind.to_string() } else { format!("{kind}_{count}") };
        *count += 1;
        if !taken.contains(&name) {
            return name;
        }
    }
}

fn called(statement: &Statement) -> Option<&Call> {
    match statement {
        Statement::Bind(_, Expression::Call(call)) => Some(call),
        _ => None,
    }
}

fn given_name(statement: &Statement, errors: &mut Errors) -> Option<Ident> {
    let is_name = |argument: &&Argument| argument.keyword.as_ref().is_some_and(|keyword| keyword == spec::Argument::NAME.name);
    let argument = called(statement)?.arguments.as_ref()?.iter().find(is_name)?;
    match identifier(&argument.given) {
        Ok(name) => Some(name),
        Err(problem) => {
            errors.push(problem.at(&argument.given.tokens));
            None
        }
    }
}

fn identifier(given: &Given) -> Result<Ident, Problem> {
    let Some(word) = given.word() else {
        return Err(Problem::new("a layer's name is a word").help("use a name such as `stem`"));
    };
    match syn::parse_str::<Ident>(word) {
        Ok(mut name) if !word.starts_with("r#") => {
            let span = given.tokens.clone().into_iter().next().map_or_else(Span::call_site, |token| token.span());
            name.set_span(span);
            Ok(name)
        }
        _ => {
            let similar: String = word.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
            let similar = if syn::parse_str::<Ident>(&similar).is_ok() { similar } else { format!("layer_{similar}") };
            Err(Problem::new(format!("a layer's name becomes a field, and `{word}` cannot be one"))
                .help(format!("use letters, digits and `_`, as in `{similar}`")))
        }
    }
}
