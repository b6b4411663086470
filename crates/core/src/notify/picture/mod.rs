//! The accuracy over a study's epochs as a PNG picture: mail programs show no SVG.

mod canvas;
mod font;

use self::canvas::{Canvas, Colour};
use crate::report::Scale;

const WIDTH: usize = 1200;
const HEIGHT: usize = 480;
const LEFT: f64 = 110.0;
const RIGHT: f64 = 1180.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 420.0;

const PAPER: Colour = [255, 255, 255];
const GRID: Colour = [222, 226, 231];
const INK: Colour = [91, 101, 112];
const CURVE: Colour = [11, 99, 206];
const REQUIRED: Colour = [26, 127, 55];

/// More epochs than that are drawn in steps.
const POINTS_MAX: usize = 3000;

/// Draws the validation accuracies of each trial, 0..=1, epoch by epoch, one trial after the other, and the
/// accuracy that the gate requires. NaN interrupts a line.
pub(super) fn accuracy_picture(
    curves: &[Vec<f64>],
    required: Option<f64>,
) -> Result<Vec<u8>, png::EncodingError> {
    let epochs: usize = curves.iter().map(Vec::len).sum();
    let values = curves.iter().flatten().copied();
    let scale = Scale::of_accuracies(values.chain(required));
    let y = |accuracy: f64| BOTTOM - scale.share(accuracy) * (BOTTOM - TOP);
    let x = |epoch: usize| LEFT + (RIGHT - LEFT) * (epoch as f64 + 0.5) / epochs.max(1) as f64;
    let mut canvas = Canvas::new(WIDTH, HEIGHT, PAPER);
    canvas.text((LEFT, 14.0), "validation accuracy", INK);
    for tick in scale.ticks(30.0 / (BOTTOM - TOP)) {
        canvas.line((LEFT, y(tick)), (RIGHT, y(tick)), 1.5, GRID);
        let label = percent(tick);
        let width = Canvas::text_width(&label);
        canvas.text((LEFT - 12.0 - width, y(tick) - 10.0), &label, INK);
    }
    if let Some(required) = required.filter(|required| *required > 0.0) {
        let label = format!("required {}", percent(required));
        canvas.text((RIGHT - Canvas::text_width(&label), 14.0), &label, REQUIRED);
        let mut from = LEFT;
        while from < RIGHT {
            let to = (from + 14.0).min(RIGHT);
            canvas.line((from, y(required)), (to, y(required)), 2.5, REQUIRED);
            from += 24.0;
        }
    }
    let stride = epochs.div_ceil(POINTS_MAX).max(1);
    let mut first = 0;
    for curve in curves {
        let points: Vec<Option<(f64, f64)>> = curve
            .iter()
            .enumerate()
            .filter(|(epoch, _)| epoch % stride == 0 || epoch + 1 == curve.len())
            .map(|(epoch, accuracy)| accuracy.is_finite().then(|| (x(first + epoch), y(*accuracy))))
            .collect();
        for pair in points.windows(2) {
            if let [Some(from), Some(to)] = pair {
                canvas.line(*from, *to, 4.0, CURVE);
            }
        }
        if epochs <= 100 {
            for point in points.iter().flatten() {
                canvas.line(*point, *point, 10.0, CURVE);
            }
        }
        first += curve.len();
    }
    number_epochs(&mut canvas, epochs, x);
    canvas.to_png()
}

/// Numbers the first and the last epoch.
fn number_epochs(canvas: &mut Canvas, epochs: usize, x: impl Fn(usize) -> f64) {
    let y = BOTTOM + 18.0;
    if epochs > 0 {
        canvas.text((x(0).min(RIGHT - 130.0) - 50.0, y), "epoch 1", INK);
    }
    if epochs > 1 {
        let label = epochs.to_string();
        let at = (x(epochs - 1) - Canvas::text_width(&label) / 2.0)
            .min(RIGHT - Canvas::text_width(&label))
            .max(x(0) + 100.0);
        canvas.text((at, y), &label, INK);
    }
}

/// `80%`, `99.5%`.
fn percent(fraction: f64) -> String {
    let digits = format!("{:.3}", fraction * 100.0);
    format!("{}%", digits.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests;
