//! The corpus of `tests/mistakes/`: each mistake is reported as written there, and its help, applied literally, mends it.

use crate::compile;
use crate::report::{Errors, Mistake};
use proc_macro2::{TokenStream, TokenTree};
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

    /// A test that builds the mended model.
    fn builds(&self) -> String {
        let source: TokenStream = self.mended.parse().expect("the mended source is made of tokens");
        let is_item = !syn::parse2::<syn::File>(compile(source, &mut Errors::default())).is_err();
        let body: String = self.mended.lines().map(|line| format!("        {line}\n")).collect();
        let name = self.title.replace(|c: char| !c.is_alphanumeric(), "_").replace("__", "_");
        let name = name.trim_matches('_').to_lowercase();
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

/// Whether `mended` is `source` after the help of `mistake`: the same tokens in another order where it says to move some; code that the help offers is there that was not, or, where it
/// offers none of it or says to leave something out, what is blamed is there less often.
fn is_applied(mistake: &Mistake, source: &str, mended: &str) -> bool {
    let (blamed, help) = mistake.blamed_and_help();
    let (source, mended) = (tokens(source), tokens(mended));
    let is_moved = help.contains("move ") && source != mended && sorted(&source) == sorted(&mended);
    let offered = help.split('`').skip(1).step_by(2).filter_map(|code| code.replace('…', ANY).parse::<TokenStream>().ok());
    let is_new = |code: TokenStream| {
        let parts: Vec<Vec<String>> = tokens_of(code).split(|token| token == ANY).map(<[String]>::to_vec).collect();
        let parts: Vec<&Vec<String>> = parts.iter().filter(|part| !part.is_empty()).collect();
        parts.iter().all(|part| count(part, &mended) > 0) && parts.iter().any(|part| count(part, &mended) > count(part, &source))
    };
    let blamed = tokens_of(blamed);
    let is_gone = !blamed.is_empty() && count(&blamed, &mended) < count(&blamed, &source);
    is_moved || is_gone || offered.into_iter().any(is_new)
}

fn tokens(source: &str) -> Vec<String> {
    tokens_of(source.parse().expect("the source is made of tokens"))
}

/// The tokens one after another, with the delimiters of groups; strings as the words they hold.
fn tokens_of(stream: TokenStream) -> Vec<String> {
    let flat = |token: TokenTree| match token {
        TokenTree::Group(group) => {
            let text = TokenTree::Group(proc_macro2::Group::new(group.delimiter(), TokenStream::new())).to_string();
            let (open, close) = text.split_at(text.len() / 2);
            [vec![open.trim().to_string()], tokens_of(group.stream()), vec![close.trim().to_string()]].concat()
        }
        token => vec![token.to_string()],
    };
    stream.into_iter().flat_map(flat).collect()
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
         #![cfg_attr(rustfmt, rustfmt_skip)]\n\nuse cnn_runtime::prelude::*;\n",
    );
    for page in Page::all() {
        program.extend(page.cases().iter().map(Case::builds));
    }
    let path = tests().join("mistakes.rs");
    if overwrites() {
        fs::write(&path, &program).expect("the program can be written");
    }
    assert_eq!(fs::read_to_string(path).unwrap_or_default(), program, "run with MISTAKES=overwrite, and read what changed");
}
