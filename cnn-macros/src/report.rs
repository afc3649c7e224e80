//! The collector of errors: every mistake found on the way, each on the tokens it is about.

use crate::offer::Offer;
#[cfg(test)]
use proc_macro2::LineColumn;
use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::HashSet;
use std::fmt;
use syn::parse::ParseStream;

/// The result of a stage that stops at its first mistake.
pub type Result<T> = std::result::Result<T, Mistake>;

/// What is wrong, the facts, and one fix, before it is known where.
pub struct Problem {
    message: String,
    note: Option<String>,
    /// Where it happens, when the tokens alone do not say.
    trace: Option<String>,
    help: Option<String>,
}

impl Problem {
    /// What is wrong, in one line: lowercase, no full stop.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), note: None, trace: None, help: None }
    }

    /// Adds the facts; nothing if `note` is empty.
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()).filter(|note| !note.is_empty()), ..self }
    }

    /// Adds one fix that works; nothing if `help` is empty.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()).filter(|help| !help.is_empty()), ..self }
    }

    /// The mistake of `tokens`.
    pub fn at(self, tokens: impl ToTokens) -> Mistake {
        Mistake { place: Place::Tokens(tokens.to_token_stream()), problem: self }
    }

    /// The mistake of the next token, or of the end when there is none.
    pub fn at_next(self, input: ParseStream) -> Mistake {
        match input.fork().parse::<TokenTree>() {
            Ok(token) => self.at(token),
            Err(_) => Mistake { place: Place::Span(input.span()), problem: self },
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(note) = &self.note {
            write!(f, "\n  note: {note}")?;
        }
        if let Some(trace) = &self.trace {
            write!(f, "\n  note: {trace}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// `tokens` as they would be written, in backticks.
pub fn code(tokens: &TokenStream) -> String {
    format!("`{}`", spaced(tokens))
}

/// `tokens` with the spaces a person would write.
pub fn spaced(tokens: &TokenStream) -> String {
    let is_punct = |token: &TokenTree, of: &str| matches!(token, TokenTree::Punct(punct) if of.contains(punct.as_char()));
    let is_joint = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint);
    let (mut text, mut before, mut ends_path) = (String::new(), None::<TokenTree>, false);
    for token in tokens.clone() {
        let is_list = matches!(&token, TokenTree::Group(group) if group.delimiter() != Delimiter::Brace);
        let is_argument_list = |before: &TokenTree| is_list && matches!(before, TokenTree::Ident(_));
        let is_tight = |before: &TokenTree| {
            let leads = is_joint(before) || is_punct(before, ".!&'") || ends_path;
            leads || is_punct(&token, ".:,;?") || is_argument_list(before)
        };
        if before.as_ref().is_some_and(|before| !is_tight(before)) {
            text.push(' ');
        }
        text += &match &token {
            TokenTree::Group(group) => {
                let inner = spaced(&group.stream());
                match group.delimiter() {
                    Delimiter::Parenthesis => format!("({inner})"),
                    Delimiter::Bracket => format!("[{inner}]"),
                    Delimiter::Brace => format!("{{ {inner} }}"),
                    Delimiter::None => inner,
                }
            }
            token => token.to_string(),
        };
        ends_path = is_punct(&token, ":") && before.as_ref().is_some_and(|before| is_joint(before) && is_punct(before, ":"));
        before = Some(token);
    }
    text
}

/// A problem, and where it is.
pub struct Mistake {
    place: Place,
    problem: Problem,
}

enum Place {
    Tokens(TokenStream),
    Span(Span),
}

impl Mistake {
    fn to_compile_error(&self) -> TokenStream {
        match &self.place {
            Place::Tokens(tokens) => syn::Error::new_spanned(tokens, &self.problem),
            Place::Span(span) => syn::Error::new(*span, &self.problem),
        }
        .to_compile_error()
    }
}

impl From<syn::Error> for Mistake {
    fn from(error: syn::Error) -> Self {
        Self { place: Place::Span(error.span()), problem: Problem::new(error.to_string()) }
    }
}

/// `tokens: problem`, as tests compare it; there are no tokens at the end of the input and where syn found the mistake.
#[cfg(test)]
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Place::Tokens(tokens) = &self.place {
            write!(f, "{tokens}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// The mistake as rustc shows it: what is wrong, and the lines of `source` with the tokens it is about marked.
#[cfg(test)]
impl Mistake {
    pub fn drawn(&self, source: &str) -> String {
        let tokens: Vec<TokenTree> = self.to_compile_error().into_iter().collect();
        let (start, end) = (tokens[0].span().start(), tokens[tokens.len() - 1].span().end());
        let mut drawn = format!("error: {}\n", self.problem);
        if start == end {
            return drawn;
        }
        let margin = " ".repeat(end.line.to_string().len());
        drawn += &format!("{margin} |\n");
        for (number, line) in (1..).zip(source.lines()).take(end.line).skip(start.line - 1) {
            let first = if number == start.line { start.column } else { line.len() - line.trim_start().len() };
            let last = if number == end.line { end.column } else { line.chars().count() };
            let (spaces, carets) = (" ".repeat(first), "^".repeat(last - first));
            drawn += &format!("{number:>width$} | {line}\n{margin} | {spaces}{carets}\n", width = margin.len());
        }
        drawn
    }

    /// Where it starts.
    pub fn start(&self) -> LineColumn {
        self.to_compile_error().into_iter().next().map_or(LineColumn { line: 1, column: 0 }, |token| token.span().start())
    }

    /// The tokens it is about, and its help.
    pub fn blamed_and_help(&self) -> (TokenStream, &str) {
        let tokens = if let Place::Tokens(tokens) = &self.place { tokens.clone() } else { TokenStream::new() };
        (tokens, self.problem.help.as_deref().unwrap_or_default())
    }
}

/// All mistakes found so far.
#[derive(Default)]
pub struct Errors {
    mistakes: Vec<Mistake>,
    /// The numbers of those that have turned out to follow from others.
    withdrawn: HashSet<usize>,
    /// The blocks and loop turns being checked, outermost first.
    trace: Vec<String>,
    /// What editors are to offer where names are not known.
    offers: Vec<Offer>,
}

impl Errors {
    /// Adds one; its number is how many there were.
    pub fn push(&mut self, mut mistake: Mistake) {
        mistake.problem.trace = Some(self.place()).filter(|place| !place.is_empty());
        self.mistakes.push(mistake);
    }

    /// Says of all errors until [`Self::leave`] where they happen, such as "in `residual(64)`".
    pub fn enter(&mut self, place: String) {
        self.trace.push(place);
    }

    /// Where it happens: "in `residual(64)`, where `filters` is 64"; empty outside of blocks and loops.
    pub fn place(&self) -> String {
        self.trace.iter().rev().cloned().collect::<Vec<_>>().join(", ")
    }

    /// Ends what the last [`Self::enter`] began.
    pub fn leave(&mut self) {
        self.trace.pop();
    }

    /// Takes back the mistake of this number, because another one says the same better.
    pub fn withdraw(&mut self, mistake: usize) {
        self.withdrawn.insert(mistake);
    }

    /// Adds what editors are to offer in the place of a name.
    pub fn offer(&mut self, offer: Offer) {
        self.offers.push(offer);
    }

    /// How many have been added.
    pub fn len(&self) -> usize {
        self.mistakes.len()
    }

    /// The mistakes in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.mistakes.iter().enumerate().filter(|(number, _)| !self.withdrawn.contains(number)).map(|(_, mistake)| mistake)
    }

    /// A `compile_error!` for each, and what editors are to offer.
    pub fn to_compile_errors(&self) -> TokenStream {
        self.offers.iter().map(Offer::to_code).chain(self.iter().map(Mistake::to_compile_error)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn code_is_written_as_people_do() {
        for source in ["nn.ReLU()", "0..n", "filters == 3", "range(1, n)", "[(1, 2), 3]", "!strict", "tf::nn::relu", "a + b * 2"]
            .into_iter()
            .chain(["Scale { by: 0.5 }", "::a::B { c: d::E }"])
        {
            assert_eq!(code(&source.parse().expect("it is made of tokens")), format!("`{source}`"));
        }
    }
}
