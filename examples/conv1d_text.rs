//! Characters: symbols become vectors, convolutions read along them, and a line of any length is told to be in one of five
//! languages.
//!
//! `cargo run --release --example conv1d_text -- "quelques mots à vous" "and a second line"`; it learns from the sentences in
//! `examples/data/languages`, and is tested on those that it has not seen.

use clap::Parser;
use clap::builder::NonEmptyStringValueParser;
use cnn_runtime::prelude::*;
use rand::RngExt;
use rand::seq::IndexedRandom;

/// A name and one sentence a line for each class.
const LANGUAGES: [(&str, &str); 5] = [
    ("English", include_str!("data/languages/english.txt")),
    ("French", include_str!("data/languages/french.txt")),
    ("German", include_str!("data/languages/german.txt")),
    ("Italian", include_str!("data/languages/italian.txt")),
    ("Spanish", include_str!("data/languages/spanish.txt")),
];

model! {
    /// Which language a line is in, from the groups of letters that occur in it.
    pub Languages {
        i = Input(_);
        x = Embedding(28, 16)(i);
        x = Conv1D(32, 3, same, relu)(x);
        x = Conv1D(64, 3, same, relu)(x);
        x = GlobalAveragePooling1D()(x);
        x = Dropout(0.2)(x);
        x = Dense(5, softmax)(x);
    }
}

/// Lines to guess where none are given.
const EXAMPLES: [&str; 3] =
    ["The last bus leaves at midnight.", "Der letzte Bus fährt um Mitternacht.", "Le dernier bus part à minuit."];

/// Tell languages apart by their letters
#[derive(Parser)]
struct Arguments {
    /// Lines to guess the language of
    #[arg(value_name = "LINE", default_values = EXAMPLES, value_parser = NonEmptyStringValueParser::new())]
    lines: Vec<String>,

    /// Steps of training, of 32 pieces of sentences each
    #[arg(long, default_value_t = 400)]
    steps: usize,

    /// Seed of every random number
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let seed = Seed(arguments.seed);
    let (train, test) = sentences();

    let mut model = Languages::new(&Device::Cpu, seed)?;
    println!("{}\n", model.summary());
    model.compile(Adam::new(0.003), SparseCategoricalCrossentropy::default(), [Accuracy]);
    for step in 1..=arguments.steps {
        let (pieces, labels) = batch(&train, seed, step)?;
        let trained = model.train_on_batch(&pieces, &labels)?;
        if step % 100 == 0 {
            println!("step {step}: {trained}");
        }
    }

    let (mut hits, mut counts) = (0, [0; LANGUAGES.len()]);
    for (line, label) in &test {
        hits += usize::from(model.predict_classes(&tensor(line)?)?[0] == *label);
        counts[*label as usize] += 1;
    }
    let share = |count: usize| 100. * count as f64 / test.len() as f64;
    let most = counts.into_iter().max().unwrap_or(0);
    println!("\n{hits} of {} unseen sentences are right: {:.1} %", test.len(), share(hits));
    println!("always the most frequent language: {:.1} %\n", share(most));

    for line in &arguments.lines {
        let probabilities = model.predict(&tensor(&symbols(line))?)?.squeeze(0)?;
        let best = probabilities.argmax(0)?.to_scalar::<u32>()? as usize;
        let percent = 100. * probabilities.get(best)?.to_scalar::<f32>()?;
        println!("{} ({percent:.1} %): {line}", LANGUAGES[best].0);
    }
    Ok(())
}

/// A line as symbols, with the number of its language.
type Sentence = (Vec<u32>, u32);

/// Three sentences of four to train on, and the fourth to test on.
fn sentences() -> (Vec<Sentence>, Vec<Sentence>) {
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for ((_, text), label) in LANGUAGES.into_iter().zip(0..) {
        for (index, line) in text.lines().enumerate() {
            if index % 4 == 3 { &mut test } else { &mut train }.push((symbols(line), label));
        }
    }
    (train, test)
}

/// One of 28 symbols for each character: 26 letters, whatever separates words, and all other letters in one.
fn symbols(line: &str) -> Vec<u32> {
    let symbol = |character: char| match character.to_ascii_lowercase() {
        letter @ 'a'..='z' => letter as u32 - 'a' as u32,
        other if other.is_alphabetic() => 26,
        _ => 27,
    };
    line.chars().map(symbol).collect()
}

/// A batch of one line: `1, T`.
fn tensor(line: &[u32]) -> Result<Tensor> {
    Ok(Tensor::new(line, &Device::Cpu)?.unsqueeze(0)?)
}

/// Pieces of 32 sentences, `32, 24`, and the languages they are in, which follow from the seed and the step.
fn batch(sentences: &[Sentence], seed: Seed, step: usize) -> Result<(Tensor, Tensor)> {
    const LENGTH: usize = 24;
    let mut random = seed.stream("pieces", step as u64);
    let (mut pieces, mut labels) = (Vec::new(), Vec::new());
    for (line, label) in sentences.sample(&mut random, 32) {
        let start = random.random_range(0..=line.len() - LENGTH);
        pieces.extend_from_slice(&line[start..start + LENGTH]);
        labels.push(*label);
    }
    Ok((Tensor::from_vec(pieces, (labels.len(), LENGTH), &Device::Cpu)?, Tensor::new(labels, &Device::Cpu)?))
}
