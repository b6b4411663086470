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
mod tests {
    use super::*;
    use crate::ledger::Event;
    use crate::report::samples::{
        accepted, epoch, finished, hostile, records, started, study_started,
    };

    fn chart(events: impl IntoIterator<Item = Event>, size: Size) -> String {
        growth_chart(&Report::from_records(&records(events)), size).finish()
    }

    /// The value of an attribute in every element of a kind.
    fn all(svg: &str, element: &str, attribute: &str) -> Vec<f64> {
        let elements = svg.split('<').filter(|text| text.starts_with(element));
        let value = |text: &str| {
            let (_, rest) = text.split_once(&format!(" {attribute}=\""))?;
            rest.split_once('"')?.0.parse().ok()
        };
        elements.filter_map(value).collect()
    }

    fn gate(svg: &str) -> f64 {
        all(svg, "line class=\"gate\"", "y1")[0]
    }

    fn many(trials: u32, epochs: u32, accuracy: impl Fn(u32, u32) -> f64) -> Vec<Event> {
        let mut events = vec![study_started()];
        for trial in 1..=trials {
            events.push(started(trial, (trial > 1).then_some(trial / 2)));
            events.extend((1..=epochs).map(|at| epoch(trial, at, accuracy(trial, at))));
            events.push(finished(trial, accuracy(trial, epochs)));
        }
        events
    }

    #[test]
    fn everything_lies_within_the_picture() {
        let studies = [
            accepted(),
            hostile(),
            many(1, 1, |_, _| 0.5),
            many(30, 3, |trial, at| f64::from(trial * at) / 91.0),
            many(2, 100, |trial, at| 1.0 - 0.03 / f64::from(trial * at)),
            many(3, 2, |_, _| f64::NAN),
            vec![study_started()],
        ];
        for events in studies {
            for (size, width, height) in [(Size::Wide, 860.0, 360.0), (Size::Narrow, 380.0, 300.0)]
            {
                let svg = chart(events.clone(), size);
                for (attribute, most) in
                    [("x", width), ("cx", width), ("y", height), ("cy", height)]
                {
                    for element in ["circle", "text", "rect"] {
                        let found = all(&svg, element, attribute);
                        assert!(found.iter().all(|at| (0.0..=most).contains(at)), "{svg}");
                    }
                }
                let (left, right) = (all(&svg, "line", "x1"), all(&svg, "line", "x2"));
                assert!(left.iter().chain(&right).all(|x| (0.0..=width).contains(x)), "{svg}");
                assert!(!svg.contains("inf"), "{svg}");
            }
        }
    }

    #[test]
    fn the_gate_is_where_an_accuracy_of_its_threshold_would_be() {
        let exact = many(3, 1, |trial, _| [0.5, 0.8, 0.9][trial as usize - 1]);
        let svg = chart(exact, Size::Wide);
        let heights = all(&svg, "circle", "cy");
        assert_eq!(heights.len(), 3);
        let at = |trial: u32| {
            let title = format!("<title>trial {trial}, epoch");
            let (before, _) = svg.split_once(&title).unwrap();
            all(before, "circle", "cy").pop().unwrap()
        };
        assert!((at(2) - gate(&svg)).abs() < 0.11, "{svg}");
        assert!(at(1) > gate(&svg) && at(3) < gate(&svg), "{svg}");
    }

    #[test]
    fn a_child_is_joined_to_the_end_of_its_parent() {
        let svg = chart(accepted(), Size::Wide);
        let (x, y) = (all(&svg, "circle", "cx"), all(&svg, "circle", "cy"));
        let join = |attribute| all(&svg, "line class=\"join", attribute)[0];
        assert_eq!((join("x1"), join("y1")), (x[1], y[1]), "{svg}");
        assert_eq!((join("x2"), join("y2")), (x[2], y[2]), "{svg}");
    }

    #[test]
    fn every_epoch_can_be_pointed_at() {
        let svg = chart(many(2, 100, |_, at| f64::from(at) / 100.0), Size::Narrow);
        assert_eq!(all(&svg, "circle", "cx").len(), 200);
        assert!(svg.contains("<title>trial 2, epoch 37: 37.00 %</title>"));
    }

    #[test]
    fn labels_never_run_into_each_other() {
        for trials in [1, 2, 5, 8, 13, 30, 90] {
            let best = trials / 2 + 1;
            let accuracy = |trial, _| if trial == best { 0.9 } else { 0.5 };
            let svg = chart(many(trials, 2, accuracy), Size::Narrow);
            let labels = svg.split("<text class=\"label middle\" x=\"").skip(1);
            let mut end = 0.0;
            for label in labels {
                let x: f64 = label.split_once('"').unwrap().0.parse().unwrap();
                let (_, said) = label.split_once('>').unwrap();
                let said = said.split_once('<').unwrap().0;
                let half = said.chars().count() as f64 * LETTER / 2.0;
                assert!(x - half > end, "{trials} trials: {said}");
                end = x + half;
            }
            let is_named = [format!(">{best}</text>"), format!(">trial {best}")]
                .iter()
                .any(|label| svg.contains(label));
            assert!(is_named, "the best of {trials} trials has no label");
        }
    }
}
