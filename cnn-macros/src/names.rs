//! What each layer of a model is called: the name it was given, or as Keras counts, `conv2d`, `conv2d_1`, …; a layer inside
//! a block comes after the name of the block, as in `residual_3.conv2d`.

use crate::ast::Given;
use crate::report::{Errors, Problem};
use proc_macro2::Span;
use std::collections::HashSet;
use syn::Ident;

/// The layers and the blocks of a model in the order of its code, as a tree whose root is the model.
#[derive(Default)]
pub struct Names(Vec<Entry>);

/// A block that holds layers, or the model itself.
pub type Place = Option<usize>;

struct Entry {
    parent: Place,
    /// What entries of its kind are called when they are given no name.
    kind: String,
    given: Option<Ident>,
    span: Span,
}

/// What one layer is called.
#[derive(Clone)]
pub struct Name {
    /// In summaries and checkpoints: `residual_3.conv2d`.
    pub path: String,
    /// Its field in the model: `residual_3_conv2d`.
    pub field: Ident,
}

impl Names {
    /// Adds a layer or a block called at `span`; its number among [`Self::assign`]'s.
    pub fn add(&mut self, parent: Place, kind: String, given: Option<Ident>, span: Span) -> usize {
        self.0.push(Entry { parent, kind, given, span: span.resolved_at(Span::mixed_site()) });
        self.0.len() - 1
    }

    /// A name for each layer and block. Names that were given win over automatic ones, wherever they stand.
    pub fn assign(&self, errors: &mut Errors) -> Vec<Name> {
        let mut taken = self.given(errors);
        let (mut names, mut fields): (Vec<Name>, _) = (Vec::new(), HashSet::with_capacity(self.0.len()));
        for entry in &self.0 {
            let own = match &entry.given {
                Some(name) => name.to_string(),
                None => taken[of(entry.parent)].next(&entry.kind),
            };
            let path = entry.parent.map_or_else(|| own.clone(), |parent| format!("{}.{own}", names[parent].path));
            let mut field = path.replace('.', "_");
            while !fields.insert(field.clone()) {
                field.push('_');
            }
            let span = entry.given.as_ref().map_or(entry.span, Ident::span);
            names.push(Name { path, field: Ident::new(&field, span) });
        }
        names
    }

    /// The names given in each place, each of which may be given once.
    fn given(&self, errors: &mut Errors) -> Vec<Taken> {
        let mut places: Vec<Taken> = (0..=self.0.len()).map(|_| Taken::default()).collect();
        let mut reported = HashSet::new();
        for Entry { parent, given, .. } in &self.0 {
            let Some(name) = given else { continue };
            let taken = &mut places[of(*parent)].names;
            if !taken.insert(name.to_string()) && reported.insert(name.to_string()) {
                let free = (1..).map(|count| format!("{name}_{count}")).find(|name| !taken.contains(name));
                let help = format!("use another, such as `{}`, or leave it out", free.unwrap_or_default());
                errors.push(Problem::new(format!("the name `{name}` is taken by an earlier layer")).help(help).at(name));
            }
        }
        places
    }
}

/// The names in one place.
#[derive(Default)]
struct Taken {
    names: HashSet<String>,
    /// How many names were counted of each kind.
    counts: Vec<(String, usize)>,
}

impl Taken {
    /// The next free name of a kind.
    fn next(&mut self, kind: &str) -> String {
        let known = self.counts.iter().position(|(known, _)| known == kind);
        let index = known.unwrap_or_else(|| {
            self.counts.push((kind.into(), 0));
            self.counts.len() - 1
        });
        let count = &mut self.counts[index].1;
        loop {
            let name = if *count == 0 { kind.into() } else { format!("{kind}_{count}") };
            *count += 1;
            // What another kind was called automatically is taken too: `conv2d_1` may be the name of a block.
            if self.names.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// Where a place stands among all: the model first.
fn of(place: Place) -> usize {
    place.map_or(0, |block| block + 1)
}

/// What calls of the block `name` are called: `InvertedResidual` gives `inverted_residual`.
pub fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (i, letter) in letters.iter().enumerate() {
        let follows_small = i > 0 && !letters[i - 1].is_uppercase() && letters[i - 1] != '_';
        let starts_word = i > 0 && letters[i - 1] != '_' && letters.get(i + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (follows_small || starts_word) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// The name that `name=…` gives a layer or a block.
///
/// # Errors
/// If it cannot be a field.
pub fn identifier(given: &Given) -> Result<Ident, Problem> {
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

#[cfg(test)]
mod tests {
    use super::snake;

    #[test]
    fn blocks_are_called_as_layers_are() {
        let names = ["residual", "InvertedResidual", "ConvBN", "InceptionA", "SEBlock", "stage_1"].map(snake);
        assert_eq!(names, ["residual", "inverted_residual", "conv_bn", "inception_a", "se_block", "stage_1"]);
    }
}
