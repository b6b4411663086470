//! Charts of one trial: loss and accuracy on training and validation images.

use super::scale::Scale;
use super::{Frame, dot, polylines, text};
use crate::report::markup::Markup;
use crate::report::{Epoch, words};

const FRAME: Frame =
    Frame { width: 360.0, height: 170.0, left: 52.0, right: 348.0, top: 12.0, bottom: 140.0 };

/// A figure of an epoch, on training images and on validation images.
type Figures = fn(&Epoch) -> [f64; 2];

/// Accuracies over the epochs of a trial.
pub(in crate::report) fn accuracy_curve(curve: &[Epoch]) -> Markup {
    let figures: Figures = |epoch| [epoch.train_accuracy, epoch.validation_accuracy];
    let scale = Scale::of_accuracies(curve.iter().flat_map(figures));
    draw(curve, "accuracy", &scale, figures, words::short_percent, words::short_percent)
}

/// Mean losses over the epochs of a trial.
pub(in crate::report) fn loss_curve(curve: &[Epoch]) -> Markup {
    let figures: Figures = |epoch| [epoch.train_loss, epoch.validation_loss];
    let scale = Scale::of_losses(curve.iter().flat_map(figures));
    draw(curve, "loss", &scale, figures, loss, |tick| match loss(tick) {
        exponential if exponential.contains('e') => exponential,
        digits => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
    })
}

fn loss(loss: f64) -> String {
    if loss < 1000.0 { format!("{loss:.3}") } else { format!("{loss:.1e}") }
}

fn draw(
    curve: &[Epoch],
    what: &str,
    scale: &Scale,
    figures: Figures,
    format_value: fn(f64) -> String,
    label: fn(f64) -> String,
) -> Markup {
    let title = format!("{what} over epochs, training and validation");
    FRAME.draw("curves", &title, scale, label, |svg| {
        for (place, name) in ["training", "validation"].into_iter().enumerate() {
            let points: Vec<_> = curve
                .iter()
                .enumerate()
                .map(|(index, epoch)| {
                    let value = figures(epoch)[place];
                    value.is_finite().then(|| (FRAME.x(index, curve.len()), FRAME.y(scale, value)))
                })
                .collect();
            polylines(svg, &format!("curve {name}"), points.iter().copied());
            let radius = if curve.len() > 25 { 1.5 } else { 3.0 };
            for (epoch, point) in curve.iter().zip(&points) {
                if let Some(point) = point {
                    let value = format_value(figures(epoch)[place]);
                    let title = format!("epoch {}, {name} {what}: {value}", epoch.epoch);
                    dot(svg, name, *point, radius, &title);
                }
            }
        }
        epochs(svg, curve);
    })
}

/// Numbers the first and the last epoch.
fn epochs(svg: &mut Markup, curve: &[Epoch]) {
    let y = FRAME.bottom + 18.0;
    if let [first, .., last] = curve {
        text(svg, "tick middle", FRAME.x(0, curve.len()), y, format!("epoch {}", first.epoch));
        text(svg, "tick middle", FRAME.x(curve.len() - 1, curve.len()), y, last.epoch);
    } else if let [only] = curve {
        text(svg, "tick middle", FRAME.x(0, 1), y, format!("epoch {}", only.epoch));
    }
}

#[cfg(test)]
mod tests;
