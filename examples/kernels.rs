//! The fixed kernels of image processing, applied to a picture by convolutions that are not trained, and drawn side by side.
//!
//! `cargo run --release --example kernels` takes a picture of Fashion-MNIST, and `-- photo.png` your own; both write
//! `kernels.png`.

use clap::Parser;
use cnn_runtime::prelude::*;
use rand::RngExt;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

model! {
    /// A map for each of nine filters, without the border, where a filter would look past the picture.
    pub Filters {
        i = Input(_, _, 1);
        blur = Conv2D(1, 3, kernel=kernels::BLUR, frozen)(i);
        sharpen = Conv2D(1, 3, kernel=kernels::SHARPEN, frozen)(i);
        emboss = Conv2D(1, 3, kernel=kernels::EMBOSS, frozen)(i);
        edge = Conv2D(1, 3, kernel=kernels::EDGE, frozen)(i);
        edge_enhance = Conv2D(1, 3, kernel=kernels::EDGE_ENHANCE, frozen)(i);
        lines = Conv2D(4, 3, kernel=kernels::LINES, frozen)(i);
        maps = Concatenate()([blur, sharpen, emboss, edge, edge_enhance, lines]);
    }
}

/// What is on the sheet, in two rows.
const PANELS: [[&str; 5]; 2] =
    [["picture", "blur", "sharpen", "emboss", "edge"], ["edge enhance", "lines —", "lines |", "lines /", "lines \\"]];

/// The panels that are pictures again, since the weights of their filters add up to 1; those of the others add up to 0.
const PICTURES: usize = 4;

/// Apply each fixed kernel to a picture
#[derive(Parser)]
struct Arguments {
    /// Picture to filter, a PNG file, in grey [default: one of Fashion-MNIST]
    picture: Option<PathBuf>,

    /// Where to write the sheet
    #[arg(long, value_name = "FILE", default_value = "kernels.png")]
    out: PathBuf,

    /// Seed that decides which picture of Fashion-MNIST is taken
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let picture = match &arguments.picture {
        Some(file) => read(file)?,
        None => fashion(Seed(arguments.seed))?,
    };
    let filters = Filters::new(&Device::Cpu, Seed(0))?;
    println!("{}\n", filters.summary());

    let maps = filters.predict(&picture)?;
    let (_, height, width, _) = maps.dims4()?;
    let inner = picture.narrow(1, 1, height)?.narrow(2, 1, width)?;
    write(&arguments.out, &Tensor::cat(&[&inner, &maps], 3)?.squeeze(0)?)?;
    println!("{} has, where a filter finds nothing in grey:", arguments.out.display());
    for row in PANELS {
        println!("{}", row.map(|panel| format!("{panel:14}")).concat().trim_end());
    }
    Ok(())
}

/// A test picture of Fashion-MNIST: `1, 28, 28, 1`.
fn fashion(seed: Seed) -> Result<Tensor> {
    let subset = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/fashion-mnist"));
    let (_, test) = data::fashion_mnist(subset)?;
    let index = seed.stream("picture", 0).random_range(0..test.len());
    Ok(test.batch(&[index], &Device::Cpu)?.0)
}

/// A PNG file in grey, the mean of its colours: `1, H, W, 1`.
fn read(path: &Path) -> Result<Tensor> {
    let failed = |error: png::DecodingError| Error::Data(format!("cannot read `{}`: {error}", path.display()));
    let file = File::open(path).map_err(|error| failed(error.into()))?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(failed)?;
    let mut bytes = vec![0; reader.output_buffer_size().unwrap_or(0)];
    let info = reader.next_frame(&mut bytes).map_err(failed)?;
    let (height, width, samples) = (info.height as usize, info.width as usize, info.color_type.samples());
    let colours = if samples < 3 { 1 } else { 3 };
    let samples = Tensor::from_slice(&bytes[..info.buffer_size()], (1, height, width, samples), &Device::Cpu)?;
    let picture = samples.narrow(3, 0, colours)?.to_dtype(DType::F32)?.mean_keepdim(3)?;
    Ok((picture / 255.)?)
}

/// Writes `maps`, `H, W, 10`, side by side in the order of [`PANELS`], small ones enlarged.
fn write(path: &Path, maps: &Tensor) -> Result<()> {
    const MARGIN: usize = 2;
    let (height, width, count) = maps.dims3()?;
    let enlarged = (200 / width.max(height)).max(1);
    let (cell_height, cell_width) = (height * enlarged + 2 * MARGIN, width * enlarged + 2 * MARGIN);
    let (sheet_height, sheet_width) = (PANELS.len() * cell_height, PANELS[0].len() * cell_width);
    let mut sheet = vec![255; sheet_height * sheet_width];
    for panel in 0..count {
        let (top, left) = (panel / PANELS[0].len() * cell_height + MARGIN, panel % PANELS[0].len() * cell_width + MARGIN);
        let greys = greys(&maps.narrow(2, panel, 1)?, panel < PICTURES)?;
        for row in 0..height * enlarged {
            for column in 0..width * enlarged {
                sheet[(top + row) * sheet_width + left + column] = greys[row / enlarged * width + column / enlarged];
            }
        }
    }

    let failed = |error: png::EncodingError| Error::Data(format!("cannot write `{}`: {error}", path.display()));
    let file = File::create(path).map_err(|error| failed(error.into()))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), sheet_width as u32, sheet_height as u32);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&sheet).map_err(failed)?;
    writer.finish().map_err(failed)
}

/// The values of a map as bytes: of a picture those from 0 to 1, of another map 0 in grey and the farthest from it in black or
/// white.
fn greys(map: &Tensor, picture: bool) -> Result<Vec<u8>> {
    let values = map.flatten_all()?.to_vec1::<f32>()?;
    let farthest = values.iter().fold(1f32 / 255., |farthest, value| farthest.max(value.abs()));
    let shade = |value: f32| if picture { value } else { (value / farthest + 1.) / 2. };
    Ok(values.into_iter().map(|value| (255. * shade(value)).round() as u8).collect())
}
