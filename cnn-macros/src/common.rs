//! The arguments that every layer and every block takes besides its own: its name, and whether it is trained.

use crate::ast::{Argument, Call, Given, Written};
use crate::evaluate::{Parameters, evaluate};
use crate::names;
use crate::report::{Errors, Problem};
use cnn_spec as spec;
use quote::ToTokens;
use spec::FromValue;
use syn::Ident;

/// What every layer and every block may be given.
#[derive(Default)]
pub struct Common {
    /// `name=…`
    pub name: Option<Ident>,
    /// `frozen` or `trainable=false`.
    pub frozen: bool,
}

/// The arguments of `call` with parameters replaced by what they stand for, those that every layer takes apart.
///
/// `None` if one is wrong.
pub fn arguments(call: &Call, parameters: &Parameters, errors: &mut Errors) -> Option<(Common, Vec<Argument>)> {
    let before = errors.len();
    let (mut common, mut own, mut given) = (Common::default(), Vec::new(), Vec::new());
    for Argument { keyword, given: value } in call.arguments.as_ref()? {
        let value = match evaluate(value, parameters) {
            Ok(value) => value,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let word = keyword.as_ref().map(ToString::to_string);
        let is_bare = word.is_none() && matches!(&value.written, Written::Name(word) if word == spec::Argument::FROZEN.name);
        let name = if is_bare { Some(spec::Argument::FROZEN.name.to_string()) } else { word };
        let Some(name) = name.filter(|name| COMMON.iter().any(|argument| argument.name == name)) else {
            own.push(Argument { keyword: keyword.clone(), given: value });
            continue;
        };
        let label = keyword.as_ref().map_or_else(|| value.tokens.clone(), ToTokens::to_token_stream);
        if given.contains(&name) {
            errors.push(Problem::new(format!("`{name}` is given twice")).help("leave out one of them").at(label));
        } else if let Err(problem) = common.take(&name, &value, is_bare) {
            errors.push(problem.at(&value.tokens));
        }
        given.push(name);
    }
    (errors.len() == before).then_some((common, own))
}

/// Whether an argument is one that every layer takes.
pub fn is_common(argument: &Argument) -> bool {
    match (&argument.keyword, argument.given.word()) {
        (Some(keyword), _) => COMMON.iter().any(|common| keyword == common.name),
        (None, word) => word == Some(spec::Argument::FROZEN.name),
    }
}

/// The arguments that every layer and every block takes besides its own.
pub const COMMON: [spec::Argument; 3] = [spec::Argument::NAME, spec::Argument::FROZEN, spec::Argument::TRAINABLE];

impl Common {
    fn take(&mut self, name: &str, value: &Given, is_bare: bool) -> std::result::Result<(), Problem> {
        if name == spec::Argument::NAME.name {
            self.name = Some(names::identifier(value)?);
            return Ok(());
        }
        let flag = match &value.written {
            _ if is_bare => true,
            Written::Value(value) => match bool::from_value(value, name) {
                Ok(flag) => flag,
                Err(refusal) => return Err(Problem::new(refusal.message).help(refusal.help.unwrap_or_default())),
            },
            _ => {
                let message = format!("`{name}` takes `true` or `false`, found `{}`", value.tokens);
                return Err(Problem::new(message).help(format!("use `{name}=true` or `{name}=false`")));
            }
        };
        self.frozen |= flag != (name == spec::Argument::TRAINABLE.name);
        Ok(())
    }
}
