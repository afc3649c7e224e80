//! How deep the input goes: what is nested deeper than anybody writes is left out before a parser's stack runs out.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The most tokens on the way to any one of them: those before it in its statement or list element, in the one around that, and
/// so on.
const MOST: usize = 160;

/// `tokens` without what goes too deep, and the first token of the first thing left out.
pub fn shallow(tokens: TokenStream) -> (TokenStream, Option<TokenTree>) {
    let mut left_out = None;
    let tokens = within(tokens, MOST, &mut left_out);
    (tokens, left_out)
}

fn within(tokens: TokenStream, most: usize, left_out: &mut Option<TokenTree>) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut kept = TokenStream::new();
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        let (run, after) = rest.split_at(end(rest));
        rest = after;
        let Some(most) = most.checked_sub(run.len()) else {
            left_out.get_or_insert_with(|| run[0].clone());
            continue;
        };
        kept.extend(run.iter().map(|token| match token {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), within(group.stream(), most, left_out));
                inner.set_span(group.span());
                inner.into()
            }
            token => token.clone(),
        }));
    }
    kept
}

/// How many tokens there are up to the end of a list element, a statement, an attribute or a block.
fn end(tokens: &[TokenTree]) -> usize {
    let is_end = |index: &usize| match &tokens[*index] {
        TokenTree::Punct(punct) => matches!(punct.as_char(), ',' | ';'),
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
            *index > 0 && matches!(&tokens[index - 1], TokenTree::Punct(punct) if matches!(punct.as_char(), '#' | '!'))
        }
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    (0..tokens.len()).find(is_end).map_or(tokens.len(), |last| last + 1)
}
