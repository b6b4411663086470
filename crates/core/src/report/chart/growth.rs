//! The chart of a growing study: validation accuracy by epoch and trial.

use std::fmt::Display;

use super::scale::Scale;
use super::{Frame, dot, drawn, line, polylines, text};
use crate::report::markup::{Markup, Px};
use crate::report::{LineageTrial, Report, trial_words, words};

/// The screens that the chart is for. A wide chart shrunk to a phone is unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Size {
    /// Desktop screens.
    Wide,
    /// Phones.
    Narrow,
}

/// Approximate width of a bold letter, in SVG units.
const LETTER: f64 = 7.0;

/// Accuracies of all trials beside each other, with the gate as a dashed line; a trial's curve is
/// joined to the end of its parent's. The best trial and those that it descends from stand out.
pub(in crate::report) fn growth_chart(report: &Report, size: Size) -> Markup {
    let chart = Chart::new(report, size);
    let title = format!("Validation accuracy of {} over epochs and trials", report.started.name);
    let class = match size {
        Size::Wide => "growth wide",
        Size::Narrow => "growth narrow",
    };
    chart.frame.draw(class, &title, &chart.scale, words::short_percent, |svg| chart.fill(svg))
}

struct Chart<'a> {
    report: &'a Report,
    frame: Frame,
    scale: Scale,
    bands: Vec<Band<'a>>,
}

/// The vertical band of one trial.
struct Band<'a> {
    trial: &'a LineageTrial,
    start: f64,
    width: f64,
    /// Whether the best trial is this one or descends from it.
    is_main: bool,
}

impl Band<'_> {
    fn middle(&self) -> f64 {
        self.start + self.width / 2.0
    }

    /// Where the epoch at this place in the trial's curve is drawn.
    fn x(&self, place: usize) -> f64 {
        self.start + self.width * (place as f64 + 0.5) / self.trial.curve.len() as f64
    }
}

impl<'a> Chart<'a> {
    fn new(report: &'a Report, size: Size) -> Self {
        let frame = match size {
            Size::Wide => Frame {
                width: 860.0,
                height: 360.0,
                left: 58.0,
                right: 806.0,
                top: 20.0,
                bottom: 306.0,
            },
            Size::Narrow => Frame {
                width: 380.0,
                height: 300.0,
                left: 50.0,
                right: 326.0,
                top: 18.0,
                bottom: 254.0,
            },
        };
        let trials = &report.lineage.trials;
        let curves = trials.iter().flat_map(|trial| &trial.curve);
        let accuracies = curves.map(|epoch| epoch.validation_accuracy);
        let scale = Scale::of_accuracies(accuracies.chain(report.started.threshold));
        Self { report, frame, scale, bands: bands(report, &frame) }
    }

    fn fill(&self, svg: &mut Markup) {
        for (place, band) in self.bands.iter().enumerate() {
            self.backdrop(svg, band, place > 0);
        }
        self.gate(svg);
        if self.scale.is_of_errors() {
            text(svg, "tick", self.frame.left, self.frame.top - 7.0, "log scale of the error");
        }
        for is_main in [false, true] {
            for band in self.bands.iter().filter(|band| band.is_main == is_main) {
                self.curve(svg, band);
            }
        }
        self.values(svg);
        self.labels(svg);
    }

    /// The background of a trial's curve, with a tooltip about the trial.
    fn backdrop(&self, svg: &mut Markup, band: &Band, has_border: bool) {
        let Frame { top, bottom, .. } = self.frame;
        if has_border {
            line(svg, "border", (band.start, top), (band.start, bottom));
        }
        let attributes: [(&str, &dyn Display); 5] = [
            ("class", &"band"),
            ("x", &Px(band.start)),
            ("y", &Px(top)),
            ("width", &Px(band.width)),
            ("height", &Px(bottom - top)),
        ];
        drawn(svg, "rect", "band", &attributes, |rect| {
            rect.leaf("title", &[], title(band.trial));
        });
    }

    fn gate(&self, svg: &mut Markup) {
        let Some(threshold) = self.report.started.threshold.filter(|gate| gate.is_finite()) else {
            return;
        };
        let Frame { left, right, .. } = self.frame;
        let y = self.frame.y(&self.scale, threshold);
        line(svg, "gate", (left, y), (right, y));
        text(svg, "gate-label", right + 5.0, y - 2.0, "gate");
        text(svg, "gate-label", right + 5.0, y + 11.0, words::short_percent(threshold));
    }

    fn curve(&self, svg: &mut Markup, band: &Band) {
        let class = if band.is_main { "main" } else { "side" };
        let radius = self.radius();
        if let Some((end, start)) = self.joint(band) {
            let fresh =
                if band.trial.inherit == crate::record::Inherit::Nothing { " fresh" } else { "" };
            line(svg, &format!("join {class}{fresh}"), end, start);
        }
        polylines(svg, &format!("curve {class}"), self.points(band));
        for (epoch, point) in band.trial.curve.iter().zip(self.points(band)) {
            let title = format!(
                "trial {}, epoch {}: {}",
                band.trial.trial,
                epoch.epoch,
                words::percent(Some(epoch.validation_accuracy))
            );
            if let Some(point) = point {
                dot(svg, class, point, radius, &title);
            }
        }
        if band.trial.curve.iter().any(|epoch| !epoch.validation_accuracy.is_finite()) {
            text(svg, "tick middle bad", band.middle(), self.frame.bottom - 6.0, "× NaN");
        }
    }

    /// Radius of the dots, the same for all trials, so that none stands out.
    fn radius(&self) -> f64 {
        let epochs: usize = self.bands.iter().map(|band| band.trial.curve.len()).sum();
        match (self.frame.right - self.frame.left) / epochs.max(1) as f64 {
            room if room < 5.0 => 1.5,
            room if room < 20.0 => 2.5,
            _ => 4.0,
        }
    }

    /// The points of a trial; none for an epoch without a figure.
    fn points(&self, band: &Band) -> impl Iterator<Item = Option<(f64, f64)>> {
        band.trial.curve.iter().enumerate().map(|(place, epoch)| {
            let accuracy = epoch.validation_accuracy;
            accuracy.is_finite().then(|| (band.x(place), self.frame.y(&self.scale, accuracy)))
        })
    }

    /// From the end of the parent's curve to the start of the trial's.
    fn joint(&self, band: &Band) -> Option<((f64, f64), (f64, f64))> {
        let parent = self.report.lineage.parent(band.trial)?.trial;
        let parent = self.bands.iter().find(|band| band.trial.trial == parent)?;
        let end = self.points(parent).flatten().last()?;
        Some((end, self.points(band).flatten().next()?))
    }

    /// The accuracy at the best epoch of each trial, or only of the best trial if there is no room for
    /// all.
    fn values(&self, svg: &mut Markup) {
        let best = self.report.figures.best_trial;
        for band in &self.bands {
            let is_best = best == Some(band.trial.trial);
            let points = band.trial.curve.iter().zip(self.points(band));
            let points = points
                .filter_map(|(epoch, point)| point.map(|point| (epoch.validation_accuracy, point)));
            let highest = points.max_by(|one, other| one.0.total_cmp(&other.0));
            if let Some((accuracy, (x, y))) = highest
                && (is_best || band.width >= 54.0)
            {
                let class = if band.is_main { "value middle main" } else { "value middle side" };
                let y = if y - 9.0 < self.frame.top - 4.0 { y + 18.0 } else { y - 9.0 };
                // A little to the left, because a rising curve is above it on the right.
                let x = (x - 10.0).clamp(self.frame.left + 22.0, self.frame.right - 22.0);
                text(svg, class, x, y, words::percent(Some(accuracy)));
            }
        }
    }

    /// As much text about each trial as there is room for, and in any case the best one's number.
    fn labels(&self, svg: &mut Markup) {
        let (first, second) = (self.frame.bottom + 19.0, self.frame.bottom + 35.0);
        let best = self.report.figures.best_trial;
        let best = self.bands.iter().find(|band| best == Some(band.trial.trial)).map(extent);
        let mut free_from = f64::NEG_INFINITY;
        for band in &self.bands {
            let (start, end) = extent(band);
            let is_clear =
                best.is_none_or(|best| best == (start, end) || !overlap(best, (start, end)));
            if start >= free_from && is_clear {
                text(svg, "label middle", band.middle(), first, label(band));
                free_from = end + 4.0;
            }
            if band.width >= FULL_LABEL {
                let size = words::count(band.trial.parameters, "parameter");
                text(svg, "tick middle", band.middle(), second, size);
            }
        }
        if self.bands.iter().all(|band| band.width < SHORT_LABEL) {
            let middle = (self.frame.left + self.frame.right) / 2.0;
            text(svg, "tick middle", middle, second, "trial");
        }
    }
}

/// Width of a band with room for its trial's edits.
const FULL_LABEL: f64 = 100.0;
/// Width of a band with room for `trial 1`.
const SHORT_LABEL: f64 = 56.0;

fn label(band: &Band) -> String {
    let trial = band.trial;
    let label = match band.width {
        width if width >= FULL_LABEL => {
            format!("trial {}: {}", trial.trial, trial_words::edits(trial))
        }
        width if width >= SHORT_LABEL => format!("trial {}", trial.trial),
        _ => return trial.trial.to_string(),
    };
    shortened(&label, ((band.width - 6.0) / LETTER) as usize)
}

/// From where to where a trial's label reaches.
fn extent(band: &Band) -> (f64, f64) {
    let half = label(band).chars().count() as f64 * LETTER / 2.0;
    (band.middle() - half, band.middle() + half)
}

/// Whether two labels would touch.
fn overlap(one: (f64, f64), other: (f64, f64)) -> bool {
    one.0 < other.1 + 4.0 && other.0 < one.1 + 4.0
}

/// One band per trial, in proportion to its number of epochs, but none much narrower than the others.
fn bands<'a>(report: &'a Report, frame: &Frame) -> Vec<Band<'a>> {
    let trials = &report.lineage.trials;
    let epochs: usize = trials.iter().map(|trial| trial.curve.len()).sum();
    let least = 0.5 * epochs as f64 / trials.len().max(1) as f64;
    let weight = |trial: &LineageTrial| (trial.curve.len() as f64).max(least).max(1.0);
    let unit = (frame.right - frame.left) / trials.iter().map(weight).sum::<f64>();
    let ancestry = report.figures.best_trial.into_iter();
    let ancestry = ancestry.flat_map(|best| report.lineage.ancestry(best));
    let main: Vec<u32> = ancestry.map(|trial| trial.trial).collect();
    let mut start = frame.left;
    trials
        .iter()
        .map(|trial| {
            let width = weight(trial) * unit;
            start += width;
            let is_main = main.contains(&trial.trial);
            Band { trial, start: start - width, width, is_main }
        })
        .collect()
}

fn title(trial: &LineageTrial) -> String {
    let from = trial.parent.map_or(String::new(), |parent| format!(", grown from trial {parent}"));
    format!(
        "trial {}{from}: {}\n{}, {}",
        trial.trial,
        trial_words::edits(trial),
        words::percent(trial.measured()),
        words::count(trial.parameters, "parameter")
    )
}

fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.into();
    }
    let kept: String = text.chars().take(letters.saturating_sub(1)).collect();
    kept.trim_end_matches([' ', ':', ';', ',']).to_owned() + "…"
}

#[cfg(test)]
pub(super) mod tests;
