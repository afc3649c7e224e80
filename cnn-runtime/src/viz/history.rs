//! The learning curve: loss and metrics over the epochs, in training and in validation.

use super::{check_name, failed};
use crate::train::History;
use crate::{Error, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::fs;
use std::ops::Range;
use std::path::Path;

const PANEL: (u32, u32) = (560, 420);
const TRAINING: RGBColor = RGBColor(31, 119, 180);
const VALIDATION: RGBColor = RGBColor(214, 90, 20);

impl History {
    /// Draws the loss and each metric over the epochs, training and validation in one panel, as an SVG file.
    ///
    /// # Errors
    /// If `path` does not end in `.svg`, if there is no epoch to draw, or if the file cannot be written.
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        check_name(path)?;
        if self.epochs() == 0 {
            return Err(failed(path, "the history has no epochs"));
        }
        let svg = draw(self).map_err(|error| failed(path, error.to_string()))?;
        fs::write(path, svg).map_err(Error::io("write", path))
    }
}

type Failure<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

fn draw(history: &History) -> Result<String, Box<dyn std::error::Error>> {
    let names: Vec<&str> = history.iter().map(|(name, _)| name).filter(|name| !name.starts_with("val_")).collect();
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (PANEL.0 * names.len() as u32, PANEL.1)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, name) in root.split_evenly((1, names.len())).iter().zip(names) {
        panel(area, history, name).map_err(|error| error.to_string())?;
    }
    root.present()?;
    drop(root);
    Ok(svg)
}

/// One quantity over the epochs.
fn panel<'a>(area: &DrawingArea<SVGBackend<'a>, Shift>, history: &History, name: &str) -> Result<(), Failure<'a>> {
    let validation = format!("val_{name}");
    let lines = [("training", TRAINING, history.get(name)), ("validation", VALIDATION, history.get(&validation))];
    let drawn = lines.iter().filter_map(|(label, colour, values)| Some((*label, *colour, (*values)?)));
    let title = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 22))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(66)
        .build_cartesian_2d(epochs(history), extent(drawn.clone().flat_map(|(_, _, values)| values)))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_labels(history.epochs().min(10))
        .x_label_formatter(&|epoch| if epoch.fract() == 0. { format!("{epoch}") } else { String::new() })
        .y_labels(8)
        .label_style(("sans-serif", 14))
        .axis_desc_style(("sans-serif", 16))
        .x_desc("Epoch")
        .draw()?;
    for (label, colour, values) in drawn {
        let points = || (1..).map(f64::from).zip(values.iter().copied()).filter(|(_, value)| value.is_finite());
        chart
            .draw_series(LineSeries::new(points(), colour.stroke_width(2)))?
            .label(label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
        chart.draw_series(points().map(|point| Circle::new(point, 3, colour.filled())))?;
    }
    let rises = history[name].last() > history[name].first();
    let corner = if rises { SeriesLabelPosition::LowerRight } else { SeriesLabelPosition::UpperRight };
    chart
        .configure_series_labels()
        .position(corner)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 14))
        .draw()
}

/// The axis of the epochs, from 1, with room for a single one.
fn epochs(history: &History) -> Range<f64> {
    let last = history.epochs() as f64;
    if last == 1. { 0.5..1.5 } else { 1.0..last }
}

/// The range of values, with some air above and below.
fn extent<'a>(values: impl Iterator<Item = &'a f64>) -> Range<f64> {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
    let air = if high > low { 0.06 * (high - low) } else { 0.5 };
    if low.is_finite() { low - air..high + air } else { 0.0..1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(logs: &[&[(&str, f64)]]) -> History {
        let mut history = History::default();
        for epoch in logs {
            history.push(&epoch.iter().map(|(name, value)| (name.to_string(), *value)).collect::<Vec<_>>());
        }
        history
    }

    #[test]
    fn draws_a_panel_for_each_quantity_and_a_line_for_each_series() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("curve.svg");
        let epoch =
            |loss, accuracy| [("loss", loss), ("accuracy", accuracy), ("val_loss", loss + 0.1), ("val_accuracy", accuracy)];
        history(&[&epoch(1., 0.6), &epoch(0.5, 0.8), &epoch(0.4, 0.9)]).plot(&path).unwrap();
        let svg = fs::read_to_string(&path).unwrap();
        let count = |piece: &str| svg.matches(piece).count();
        assert_eq!((count("Loss\n"), count("Accuracy\n"), count("training\n"), count("validation\n")), (1, 1, 2, 2));
        assert_eq!(count("<circle"), 12);
        assert!(svg.starts_with("<svg width=\"1120\" height=\"420\""));
    }

    #[test]
    fn one_epoch_constants_and_infinities_are_drawn_too() {
        let svg = |logs: &[&[(&str, f64)]]| draw(&history(logs)).unwrap();
        assert!(svg(&[&[("loss", 1.)]]).contains("<circle"));
        assert!(svg(&[&[("loss", 1.)], &[("loss", 1.)]]).contains("<polyline"));
        assert!(!svg(&[&[("loss", f64::INFINITY)]]).contains("<circle"));
    }

    #[test]
    fn says_why_it_cannot() {
        let one = history(&[&[("loss", 1.)]]);
        let expected = "cannot draw `curve.png`: pictures are SVG files\n  help: let the name end in `.svg`";
        assert_eq!(one.plot("curve.png").unwrap_err().to_string(), expected);
        assert_eq!(History::default().plot("c.svg").unwrap_err().to_string(), "cannot draw `c.svg`: the history has no epochs");
        assert!(one.plot("no/such/place/c.svg").unwrap_err().to_string().starts_with("cannot write `no/such/place/c.svg`"));
    }
}
