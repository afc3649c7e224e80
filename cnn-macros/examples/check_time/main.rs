//! What a network in `model!` costs in `cargo check`, beside the same network written by hand for candle.
//!
//! `cargo run -p cnn-macros --example check_time` writes the programs beside this file into a crate of their own under
//! `target/`, in the profile that every new crate has, where the macro is not optimised, and in another as README has
//! it, where it is. It checks each program after three kinds of change, all programs in turn, and prints the least time of each.
//! A number after `--` says how often.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

/// A network by hand and in `model!`. Each program has a `1000` to change.
const PAIRS: [(&str, [&str; 2]); 3] = [
    ("no network", [include_str!("nothing_by_hand.rs"), include_str!("nothing_in_model.rs")]),
    ("ResNet-50", [include_str!("resnet50_by_hand.rs"), include_str!("resnet50_in_model.rs")]),
    ("DenseNet-121", [include_str!("densenet121_by_hand.rs"), include_str!("densenet121_in_model.rs")]),
];

/// What a crate's manifest may end in.
const PROFILES: [(&str, &str); 2] =
    [("the profile of a new crate", ""), ("README's profile", "\n[profile.dev.package.\"*\"]\nopt-level = 3\n")];

const CHANGES: [(&str, Change); 3] =
    [("the program", Change::Program), ("the network", Change::Network), ("everything", Change::Everything)];

/// What happens before a check.
#[derive(Clone, Copy)]
enum Change {
    /// Another function is added to the program.
    Program,
    /// The network gets another number of classes.
    Network,
    /// Nothing is left of earlier checks of the program; what it depends on stays.
    Everything,
}

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = env::args().nth(1).unwrap_or_else(|| "10".into());
    let rounds: usize = rounds.parse().ok().filter(|rounds| *rounds > 0).ok_or(format!("`{rounds}` is no number of rounds"))?;
    for (number, (name, profile)) in PROFILES.iter().enumerate() {
        let programs = Programs::new(&format!("check_time_{number}"), profile)?;
        println!("in {name}, building what the programs depend on, and checking each {rounds} times");
        programs.check(None)?;
        println!("\n{:14} {:12} {:>8} {:>8} {:>6}", "network", "changed", "by hand", "model!", "ratio");
        CHANGES.iter().try_for_each(|(changed, change)| programs.compare(changed, *change, rounds))?;
        println!();
    }
    Ok(())
}

/// The crate of the programs.
struct Programs {
    directory: PathBuf,
}

impl Programs {
    fn new(folder: &str, profile: &str) -> Result<Self, Box<dyn Error>> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("this crate is part of a workspace")?;
        let directory = workspace.join("target").join(folder);
        fs::create_dir_all(directory.join("src/bin"))?;
        fs::copy(workspace.join("Cargo.lock"), directory.join("Cargo.lock"))?;
        let runtime = workspace.join("cnn-runtime");
        let manifest = format!(
            "[package]\nname = \"programs\"\nedition = \"2024\"\n\n[dependencies]\ncandle-core = \"0.11.1\"\n\
             candle-nn = \"0.11.1\"\ncnn-runtime = {{ path = {runtime:?} }}\n\n[workspace]\n{profile}"
        );
        fs::write(directory.join("Cargo.toml"), manifest)?;
        let programs = Self { directory };
        for (pair, (_, sources)) in PAIRS.iter().enumerate() {
            for (side, source) in sources.iter().enumerate() {
                fs::write(programs.file(pair, side), source)?;
            }
        }
        Ok(programs)
    }

    fn file(&self, pair: usize, side: usize) -> PathBuf {
        self.directory.join("src/bin").join(name(pair, side) + ".rs")
    }

    /// Prints the least time that each network takes after a change, by hand and in `model!`.
    fn compare(&self, changed: &str, change: Change, rounds: usize) -> Result<(), Box<dyn Error>> {
        let mut best = [[Duration::MAX; 2]; PAIRS.len()];
        for round in 1..=rounds {
            for (pair, best) in best.iter_mut().enumerate() {
                for (side, best) in best.iter_mut().enumerate() {
                    *best = self.time(pair, side, change, round)?.min(*best);
                }
            }
        }
        for ((network, _), [by_hand, model]) in PAIRS.iter().zip(best) {
            let ratio = model.as_secs_f64() / by_hand.as_secs_f64();
            println!("{network:14} {changed:12} {:>5} ms {:>5} ms {ratio:>6.2}", by_hand.as_millis(), model.as_millis());
        }
        Ok(())
    }

    /// How long it takes to check a program after a change, which differs from round to round.
    fn time(&self, pair: usize, side: usize, change: Change, round: usize) -> Result<Duration, Box<dyn Error>> {
        let source = PAIRS[pair].1[side];
        let changed = match change {
            Change::Program => format!("{source}\n#[allow(dead_code)]\nfn added() -> usize {{\n    {round}\n}}\n"),
            Change::Network => source.replace("1000", &(1000 + round).to_string()),
            Change::Everything => {
                self.cargo(&["clean", "-p", "programs"])?;
                source.into()
            }
        };
        fs::write(self.file(pair, side), changed)?;
        let start = Instant::now();
        self.check(Some(&name(pair, side)))?;
        Ok(start.elapsed())
    }

    /// Checks one program, or all.
    fn check(&self, program: Option<&str>) -> Result<(), Box<dyn Error>> {
        self.cargo(&program.map_or(vec!["check"], |program| vec!["check", "--bin", program]))
    }

    fn cargo(&self, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
        // What `cargo run` sets for this program is not for the ones it checks.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_")) {
            if name != "CARGO_HOME" {
                cargo.env_remove(name);
            }
        }
        let output = cargo.arg("--quiet").args(arguments).current_dir(&self.directory).output()?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into()),
        }
    }
}

fn name(pair: usize, side: usize) -> String {
    format!("program_{pair}_{side}")
}
