//! A signal in time: dilated causal convolutions, which never look ahead, tell four kinds of waves apart in noise.
//!
//! `cargo run --release --example conv1d_signal`; every wave is made up anew, with a frequency, phase and amplitude of its own.

use clap::Parser;
use cnn_runtime::prelude::*;
use rand::RngExt;
use rand_distr::StandardNormal;
use std::f32::consts::TAU;

/// The values of a wave.
const STEPS: usize = 128;

const KINDS: [&str; 4] = ["sine", "square", "saw", "chirp"];

model! {
    /// Each convolution sees twice as far back as the one before it: 127 steps in the end.
    pub Waves {
        i = Input(STEPS, 1);
        x = Conv1D(16, 3, causal, relu)(i);
        for rate in [2, 4, 8, 16, 32] {
            x = Conv1D(16, 3, causal, relu, dilation_rate=rate)(x);
        }
        x = GlobalAveragePooling1D()(x);
        x = Dense(32, relu)(x);
        x = Dense(4, softmax)(x);
    }
}

/// Tell waves apart
#[derive(Parser)]
struct Arguments {
    /// Steps of training, of 32 waves each
    #[arg(long, default_value_t = 400)]
    steps: u64,

    /// Deviation of the noise; the waves are from 0.5 to 1.5 high
    #[arg(long, default_value_t = 0.3)]
    noise: f32,

    /// Seed of every random number
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let seed = Seed(arguments.seed);
    let mut model = Waves::new(&Device::Cpu, seed)?;
    println!("{}\n", model.summary());

    model.compile(Adam::new(0.003), SparseCategoricalCrossentropy::default(), [Accuracy]);
    for step in 1..=arguments.steps {
        let (waves, kinds) = waves(32, arguments.noise, seed.stream("train", step))?;
        let trained = model.train_on_batch(&waves, &kinds)?;
        if step % 100 == 0 {
            println!("step {step}: {trained}");
        }
    }

    let (unseen, kinds) = waves(400, arguments.noise, seed.stream("test", 0))?;
    let kinds = kinds.to_vec1::<u32>()?;
    let mut taken_for = [[0; KINDS.len()]; KINDS.len()];
    for (kind, taken) in kinds.iter().zip(model.predict_classes(&unseen)?) {
        taken_for[*kind as usize][taken as usize] += 1;
    }
    let hits: usize = (0..KINDS.len()).map(|kind| taken_for[kind][kind]).sum();
    println!("\n{hits} of {} unseen waves are right: {:.1} %", kinds.len(), 100. * hits as f64 / kinds.len() as f64);
    println!("\n{:8} {}", "", KINDS.map(|kind| format!("{kind:>8}")).concat());
    for (kind, row) in KINDS.iter().zip(taken_for) {
        println!("{kind:>8} {}", row.map(|count| format!("{count:>8}")).concat());
    }
    Ok(())
}

/// So many waves, `N, STEPS, 1`, and their kinds, one after another.
fn waves(count: usize, noise: f32, mut random: impl rand::Rng) -> Result<(Tensor, Tensor)> {
    let mut values = Vec::with_capacity(count * STEPS);
    for kind in (0..count).map(|index| KINDS[index % KINDS.len()]) {
        let cycles = random.random_range(3f32..8.);
        let (phase, amplitude) = (random.random_range(0f32..1.), random.random_range(0.5f32..1.5));
        for step in 0..STEPS {
            let time = step as f32 / STEPS as f32;
            let turns = cycles * time + phase;
            let wave = match kind {
                "sine" => (TAU * turns).sin(),
                "square" => (TAU * turns).sin().signum(),
                "saw" => 2. * turns.fract() - 1.,
                // From half its frequency to twice that of the others.
                _ => (TAU * (turns + cycles * (0.75 * time - 0.5) * time)).sin(),
            };
            values.push(amplitude * wave + noise * random.sample::<f32, _>(StandardNormal));
        }
    }
    let kinds = Tensor::from_iter((0..count).map(|index| (index % KINDS.len()) as u32), &Device::Cpu)?;
    Ok((Tensor::from_vec(values, (count, STEPS, 1), &Device::Cpu)?, kinds))
}
