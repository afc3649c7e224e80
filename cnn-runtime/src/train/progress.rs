//! What is shown while a model trains: a bar on a terminal, a line for each epoch elsewhere.

use super::metric::Mean;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};

/// What is shown while a model trains, on the standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbose {
    /// Nothing; Keras' 0.
    Silent,
    /// A bar that moves, on a terminal; a line for each epoch where there is none; Keras' 1.
    ///
    /// Its colours are left out when `NO_COLOR` is set.
    #[default]
    Bar,
    /// A line for each epoch; Keras' 2.
    Lines,
}

/// How often a bar is drawn.
const REDRAWS_PER_SECOND: u8 = 20;

/// The progress of one epoch.
pub(super) struct Progress {
    display: Display,
    epoch: usize,
    epochs: usize,
    steps: usize,
    done: usize,
    started: Instant,
    drawn: Instant,
}

enum Display {
    Silent,
    Line,
    Bar(ProgressBar),
}

impl Progress {
    /// Starts the clock of `epoch`, from 1 to `epochs`, which will take so many steps.
    pub fn start(verbose: Verbose, epoch: usize, epochs: usize, steps: usize) -> Self {
        let display = match verbose {
            Verbose::Silent => Display::Silent,
            Verbose::Bar if stdout().is_terminal() => Display::Bar(bar(steps)),
            Verbose::Bar | Verbose::Lines => Display::Line,
        };
        if let Display::Bar(_) = display
            && epochs > 1
        {
            write_line(&format!("Epoch {epoch}/{epochs}"));
        }
        let now = Instant::now();
        Self { display, epoch, epochs, steps, done: 0, started: now, drawn: now }
    }

    /// Whether it is time to show how far things are.
    pub fn is_due(&self) -> bool {
        matches!(self.display, Display::Bar(_)) && self.drawn.elapsed() >= Duration::from_secs(1) / u32::from(REDRAWS_PER_SECOND)
    }

    /// One step is done; `means` are those of the epoch so far, if it is time to show them.
    pub fn step(&mut self, means: Option<&[Mean]>) {
        self.done += 1;
        let (Display::Bar(bar), Some(means)) = (&self.display, means) else { return };
        self.drawn = Instant::now();
        let logs: Vec<(String, f64)> = means.iter().map(|mean| (mean.name.to_string(), mean.value())).collect();
        let left = self.started.elapsed().div_f64(self.done as f64).mul_f64((self.steps - self.done) as f64);
        bar.set_position(self.done as u64);
        bar.set_message(format!("{} {} - {}", duration(left), self.pace(), listed(&logs)));
    }

    /// The epoch is over, with these means of training and validation.
    pub fn finish(self, logs: &[(String, f64)]) {
        let (took, pace) = (duration(self.started.elapsed()), self.pace());
        match &self.display {
            Display::Silent => (),
            Display::Line => {
                write_line(&format!("Epoch {}/{} - {took} - {pace} - {}", self.epoch, self.epochs, listed(logs)));
            }
            Display::Bar(bar) => {
                bar.set_position(self.done as u64);
                bar.abandon_with_message(format!("{took} {pace} - {}", listed(logs)));
            }
        }
    }

    fn pace(&self) -> String {
        per_step(self.started.elapsed().div_f64(self.done.max(1) as f64))
    }
}

fn bar(steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{pos}/{len} {bar:20.green/dim} {msg}").expect("a valid template");
    ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stdout_with_hz(REDRAWS_PER_SECOND))
        .with_style(style.progress_chars("━━─"))
        .with_finish(ProgressFinish::Abandon)
}

/// Writes a line; that nobody reads it any more is no reason to stop training.
fn write_line(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}

/// Names and values in Keras' order: alphabetical, validation last.
fn listed(logs: &[(String, f64)]) -> String {
    let mut logs: Vec<_> = logs.iter().map(|(name, value)| (name.starts_with("val_"), name, *value)).collect();
    logs.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    logs.iter().map(|(_, name, value)| format!("{name}: {}", number(*value))).collect::<Vec<_>>().join(" - ")
}

/// A value with four decimals, or as a power of ten when they would not show it.
pub(super) fn number(value: f64) -> String {
    if value == 0. || value.abs() > 1e-3 || !value.is_finite() { format!("{value:.4}") } else { format!("{value:.4e}") }
}

/// A time such as `3s`, `1:05` or `2:00:59`.
fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// The time of one step, in the unit that suits it.
fn per_step(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1. => format!("{seconds:.0}s/step"),
        seconds if seconds >= 1e-3 => format!("{:.0}ms/step", seconds * 1e3),
        seconds => format!("{:.0}µs/step", seconds * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_times_and_order_are_keras() {
        assert_eq!([0.81234, 0.00012345, 0., 12., f64::NAN].map(number), ["0.8123", "1.2345e-4", "0.0000", "12.0000", "NaN"]);
        assert_eq!([3, 65, 7259].map(|s| duration(Duration::from_secs(s))), ["3s", "1:05", "2:00:59"]);
        assert_eq!([1_500_000, 25_400, 80].map(|us| per_step(Duration::from_micros(us))), ["2s/step", "25ms/step", "80µs/step"]);
        let logs = ["loss", "accuracy", "val_loss", "val_accuracy", "zoom"].map(|name| (name.to_string(), 0.5));
        assert_eq!(listed(&logs), "accuracy: 0.5000 - loss: 0.5000 - zoom: 0.5000 - val_accuracy: 0.5000 - val_loss: 0.5000");
    }

    #[test]
    fn every_step_counts_and_tests_have_no_terminal_to_draw_on() {
        let mut progress = Progress::start(Verbose::Silent, 1, 2, 3);
        (0..3).for_each(|_| progress.step(Some(&[Mean::of("loss")])));
        assert_eq!((progress.done, progress.steps), (3, 3));
    }
}
