//! The corpus of `tests/mistakes/`: each mistake is reported as written there, and its help, applied literally, mends it.

use crate::compile;
use crate::report::{Errors, Mistake};
use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// What `MISTAKES=overwrite` writes anew: the reports, and the program of everything that is mended.
fn overwrites() -> bool {
    env::var_os("MISTAKES").is_some_and(|value| value == "overwrite")
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests")
}

/// One page of the corpus, cut at its fences: prose, a mistake, prose, its report, prose, what is mended, prose, …
struct Page {
    path: PathBuf,
    pieces: Vec<String>,
}

/// One mistake: its title, its source, what is reported, and the source after the help.
struct Case<'a> {
    title: &'a str,
    source: &'a str,
    report: &'a str,
    mended: &'a str,
}

impl Page {
    fn all() -> Vec<Page> {
        let files = fs::read_dir(tests().join("mistakes")).expect("the corpus is there");
        let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a page").path()).collect();
        paths.sort();
        let read = |path: PathBuf| {
            let text = fs::read_to_string(&path).expect("a page is text");
            Page { path, pieces: text.split("```").map(str::to_string).collect() }
        };
        paths.into_iter().map(read).collect()
    }

    fn cases(&self) -> Vec<Case<'_>> {
        let cases = self.pieces.chunks_exact(6).map(|pieces| {
            let title = pieces[0].rsplit("## ").next().unwrap_or_default().lines().next().unwrap_or_default();
            let code = |piece: &'static str, index: usize| {
                pieces[index].strip_prefix(piece).unwrap_or_else(|| panic!("{}: {title}: not {piece}", self.path.display()))
            };
            Case { title, source: code("rust\n", 1), report: code("text\n", 3), mended: code("rust\n", 5) }
        });
        cases.collect()
    }

    /// Puts what is reported now in the place of what was.
    fn overwrite(&self, reports: &[String]) {
        let mut pieces = self.pieces.clone();
        for (index, report) in reports.iter().enumerate() {
            pieces[6 * index + 3] = format!("text\n{report}");
        }
        fs::write(&self.path, pieces.join("```")).expect("the page can be written");
    }
}

impl Case<'_> {
    /// Everything that is reported, as rustc shows it.
    fn reported(&self) -> (Vec<String>, Errors) {
        let mut errors = Errors::default();
        compile(self.source.parse().expect("the source is made of tokens"), &mut errors);
        (errors.iter().map(|mistake| mistake.drawn(self.source)).collect(), errors)
    }

    /// What is wrong with the mended source, if anything.
    fn still_wrong(&self) -> Option<String> {
        let mut errors = Errors::default();
        compile(self.mended.parse().expect("the mended source is made of tokens"), &mut errors);
        let wrong: Vec<String> = errors.iter().map(|mistake| mistake.drawn(self.mended)).collect();
        (!wrong.is_empty()).then(|| wrong.join("\n"))
    }

    /// A test that builds the mended model, of this `page` of the corpus.
    fn builds(&self, page: &str) -> String {
        let source: TokenStream = self.mended.parse().expect("the mended source is made of tokens");
        let is_item = syn::parse2::<syn::File>(compile(source, &mut Errors::default())).is_ok();
        let body: String = self.mended.lines().map(|line| format!("        {line}\n")).collect();
        let words: Vec<String> = self.title.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
        let name = format!("{page}_{}", words.join("_"));
        match is_item {
            true => format!(
                "\n#[test]\nfn {name}() -> Result<()> {{\n    model! {{\n{body}    }}\n    Net::new(&Device::Cpu, Seed(0)).map(drop)\n}}\n"
            ),
            false => format!(
                "\n#[test]\nfn {name}() -> Result<()> {{\n    let net = model! {{\n{body}    }};\n    net.build(&Device::Cpu, Seed(0)).map(drop)\n}}\n"
            ),
        }
    }
}

/// What stands for `…` among tokens.
const ANY: &str = "__any";

/// Whether `mended` is `source` after the help of `mistake`: code that the help offers is there that was not, or is there in the
/// place of what is blamed. Where it offers none, or says to leave something out, what is blamed is there less often; where it says to move something, everything is
/// there, in another order.
fn is_applied(mistake: &Mistake, source: &str, mended: &str) -> bool {
    let (blamed, help) = mistake.blamed_and_help();
    let (source, mended) = (tokens(source), tokens(mended));
    let code = help.split('`').skip(1).step_by(2).map(|code| code.replace('…', ANY));
    let offered: Vec<TokenStream> = code.flat_map(|code| [code.parse(), format!("\"{code}\"").parse()]).flatten().collect();
    let may_be_gone = offered.is_empty() || ["leave", "remove", "without", "alone"].iter().any(|word| help.contains(word));
    let blamed = tokens_of(blamed);
    let is_gone = || !blamed.is_empty() && count(&blamed, &mended) < count(&blamed, &source);
    let is_moved = || help.contains("move ") && source != mended && sorted(&source) == sorted(&mended);
    let is_there = |code: &TokenStream| count(&tokens_of(code.clone()), &mended) > 0;
    let may_be_gone = may_be_gone || offered.iter().any(is_there);
    offered.iter().any(|code| is_new(code, &source, &mended)) || may_be_gone && is_gone() || is_moved()
}

/// Whether all that stands between the `…` of `code` is in `mended`, and some of it more often than in `source`.
fn is_new(code: &TokenStream, source: &[String], mended: &[String]) -> bool {
    let code = tokens_of(code.clone());
    let mut parts = code.split(|token| token == ANY).filter(|part| !part.is_empty());
    parts.clone().all(|part| count(part, mended) > 0) && parts.any(|part| count(part, mended) > count(part, source))
}

fn tokens(source: &str) -> Vec<String> {
    tokens_of(source.parse().expect("the source is made of tokens"))
}

/// The tokens one after another, with the delimiters of groups; operators of several characters are one.
fn tokens_of(stream: TokenStream) -> Vec<String> {
    let (mut tokens, mut is_joint) = (Vec::<String>::new(), false);
    for token in stream {
        match &token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(open.to_string());
                tokens.extend(tokens_of(group.stream()));
                tokens.push(close.to_string());
            }
            TokenTree::Punct(punct) if is_joint && "=:.".contains(punct.as_char()) => {
                tokens.last_mut().expect("what it is joined to").push(punct.as_char())
            }
            token => tokens.push(token.to_string()),
        }
        is_joint = matches!(&token, TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint);
    }
    tokens
}

fn sorted(tokens: &[String]) -> Vec<String> {
    let mut tokens: Vec<String> = tokens.iter().filter(|token| *token != ";").cloned().collect();
    tokens.sort();
    tokens
}

fn count(part: &[String], of: &[String]) -> usize {
    of.windows(part.len()).filter(|window| *window == part).count()
}

#[test]
fn mistakes_are_reported_as_written_and_mended_by_their_help() {
    let (mut wrong, mut found) = (Vec::new(), 0);
    for page in Page::all() {
        let cases = page.cases();
        let reports: Vec<String> = cases.iter().map(|case| case.reported().0.join("\n")).collect();
        for (case, report) in cases.iter().zip(&reports) {
            let place = format!("{}: {}", page.path.file_name().unwrap_or_default().display(), case.title);
            found += 1;
            if case.report != report && !overwrites() {
                wrong.push(format!("{place}: expected\n{}\nfound\n{report}", case.report));
            }
            if case.reported().1.len() == 0 {
                wrong.push(format!("{place}: no error"));
            }
            if let Some(still) = case.still_wrong() {
                wrong.push(format!("{place}: the mended source has errors\n{still}"));
            }
            for mistake in case.reported().1.iter().filter(|mistake| !is_applied(mistake, case.source, case.mended)) {
                wrong.push(format!("{place}: the mended source is not this help applied\n{}", mistake.drawn(case.source)));
            }
        }
        if overwrites() {
            page.overwrite(&reports);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(found >= 100, "{found} cases");
}

/// The program that rustc builds and runs once for all: one test for each mended model.
#[test]
fn mended_sources_are_built_elsewhere() {
    let mut program = String::from(
        "//! What the mistakes of `mistakes/` become when their help is followed: each builds.\n//!\n\
         //! `MISTAKES=overwrite cargo test -p cnn-macros mistakes` writes this file from those pages.\n\n\
         #![cfg_attr(rustfmt, rustfmt_skip)]\n\n#[path = \"support/own.rs\"]\nmod own;\n\nuse cnn_runtime::prelude::*;\nuse own::MyLayer;\n",
    );
    for page in Page::all() {
        let name = page.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        program.extend(page.cases().iter().map(|case| case.builds(&name)));
    }
    let path = tests().join("mistakes.rs");
    if overwrites() {
        fs::write(&path, &program).expect("the program can be written");
    }
    assert_eq!(fs::read_to_string(path).unwrap_or_default(), program, "run with MISTAKES=overwrite, and read what changed");
}
