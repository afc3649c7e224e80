//! Volumes: convolutions in three dimensions tell solid bodies apart, wherever they are and however large, in noise.
//!
//! `cargo run --release --example conv3d_voxels`; every body is made up anew.

use clap::Parser;
use cnn_runtime::prelude::*;
use rand::RngExt;
use rand_distr::StandardNormal;

/// The voxels along each edge of a volume.
const SIDE: usize = 10;

const KINDS: [&str; 4] = ["ball", "cube", "octahedron", "cross"];

model! {
    /// Which of four bodies a volume shows.
    pub Bodies {
        i = Input(SIDE, SIDE, SIDE, 1);
        x = Conv3D(8, 3, relu)(i);
        x = MaxPooling3D(2)(x);
        x = Conv3D(32, 3, relu)(x);
        x = Flatten()(x);
        x = Dense(32, relu)(x);
        x = Dense(4, softmax)(x);
    }
}

/// Tell solid bodies apart
#[derive(Parser)]
struct Arguments {
    /// Steps of training, of 32 volumes each
    #[arg(long, default_value_t = 300)]
    steps: u64,

    /// Deviation of the noise; bodies are 1 in a void of 0
    #[arg(long, default_value_t = 0.2)]
    noise: f32,

    /// Seed of every random number
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let seed = Seed(arguments.seed);
    let mut model = Bodies::new(&Device::Cpu, seed)?;
    println!("{}\n", model.summary());

    model.compile(Adam::new(0.003), SparseCategoricalCrossentropy::default(), [Accuracy]);
    for step in 1..=arguments.steps {
        let (volumes, kinds) = volumes(32, arguments.noise, seed.stream("train", step))?;
        let trained = model.train_on_batch(&volumes, &kinds)?;
        if step % 100 == 0 {
            println!("step {step}: {trained}");
        }
    }

    let (unseen, kinds) = volumes(400, arguments.noise, seed.stream("test", 0))?;
    let kinds = kinds.to_vec1::<u32>()?;
    let guesses = model.predict_classes(&unseen)?;
    println!();
    for (name, kind) in KINDS.into_iter().zip(0..) {
        let of_kind = || kinds.iter().zip(&guesses).filter(|(truth, _)| **truth == kind);
        println!(
            "{name:>10}: {} of {} unseen ones are right",
            of_kind().filter(|(_, guess)| **guess == kind).count(),
            of_kind().count()
        );
    }
    let hits = kinds.iter().zip(&guesses).filter(|(truth, guess)| truth == guess).count();
    println!("{:>10}: {:.1} %", "all", 100. * hits as f64 / kinds.len() as f64);
    Ok(())
}

/// So many bodies, `N, SIDE, SIDE, SIDE, 1`, and their kinds, one after another.
fn volumes(count: usize, noise: f32, mut random: impl rand::Rng) -> Result<(Tensor, Tensor)> {
    let mut voxels = Vec::with_capacity(count * SIDE.pow(3));
    for kind in (0..count).map(|index| KINDS[index % KINDS.len()]) {
        let radius = random.random_range(2.5f32..4.);
        let centre = [(); 3].map(|()| random.random_range(radius..SIDE as f32 - radius));
        for index in 0..SIDE.pow(3) {
            let place = [index / (SIDE * SIDE), index / SIDE % SIDE, index % SIDE];
            let mut away = [0, 1, 2].map(|axis| (place[axis] as f32 + 0.5 - centre[axis]).abs());
            away.sort_by(f32::total_cmp);
            let [least, middle, most] = away;
            let inside = match kind {
                "ball" => least * least + middle * middle + most * most < radius * radius,
                "cube" => most < 0.8 * radius,
                "octahedron" => least + middle + most < 1.3 * radius,
                _ => most < radius && middle < 0.3 * radius,
            };
            voxels.push(f32::from(u8::from(inside)) + noise * random.sample::<f32, _>(StandardNormal));
        }
    }
    let kinds = Tensor::from_iter((0..count).map(|index| (index % KINDS.len()) as u32), &Device::Cpu)?;
    Ok((Tensor::from_vec(voxels, (count, SIDE, SIDE, SIDE, 1), &Device::Cpu)?, kinds))
}
