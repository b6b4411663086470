//! What trials were predicted to reach, and where the time went.

use super::super::markup::{Attributes, Markup, Px};
use super::super::words::{duration, grouped, percent};
use super::super::{LineageTrial, Report};
use crate::record::Forecast;

/// Width and height of a drawn interval, in pixels.
const LINE: [f64; 2] = [160.0, 12.0];
/// Width and height of a bar.
const BAR: [f64; 2] = [120.0, 8.0];

impl Report {
    fn predicted(&self) -> impl Iterator<Item = (&LineageTrial, &Forecast)> {
        let trials = self.lineage.trials.iter();
        trials.filter_map(|trial| trial.forecast.as_ref().map(|forecast| (trial, forecast)))
    }

    pub(super) fn has_forecasts(&self) -> bool {
        self.predicted().next().is_some()
    }

    /// A row for each trial that was predicted.
    pub(super) fn forecasts(&self, main: &mut Markup) {
        let ended = self.predicted().filter_map(|(trial, forecast)| {
            trial.train_seconds?;
            trial.score().map(|reached| forecast.holds(reached))
        });
        let ended: Vec<bool> = ended.collect();
        if !ended.is_empty() {
            let held = ended.iter().filter(|held| **held).count();
            let text = format!(
                "{held} of {} within the interval that was to hold them with a probability of 80 %.",
                ended.len()
            );
            main.leaf("p", &[("class", &"quiet")], text);
        }
        // The scale of the drawing: from the lowest to the highest of all ends and results.
        let all = self.predicted().flat_map(|(trial, forecast)| {
            [Some(forecast.low), Some(forecast.high), trial.score()].into_iter().flatten()
        });
        let all: Vec<f64> = all.filter(|value| value.is_finite()).collect();
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        let width = all.iter().copied().fold(least, f64::max) - least;
        let place = |value: f64| (value - least) / if width > 0.0 { width } else { 1.0 };
        let columns = ["trial", "predicted", "80 % interval", "reached", ""];
        table(main, ("forecasts", &columns), |body| {
            for (trial, forecast) in self.predicted() {
                let reached = trial.score().filter(|_| trial.train_seconds.is_some());
                let [low, high] = [forecast.low, forecast.high].map(|end| percent(Some(end)));
                body.element("tr", &[], |row| {
                    row.leaf("td", &[], trial.trial);
                    row.leaf("td", &[], percent(Some(forecast.accuracy)));
                    row.leaf("td", &[], format!("{low} to {high}"));
                    row.leaf("td", &[], percent(reached));
                    row.element("td", &[], |cell| {
                        let ends = [forecast.low, forecast.accuracy, forecast.high];
                        interval(cell, ends.map(place), reached.map(place));
                    });
                });
            }
        });
    }

    /// A row for each part of the time.
    pub(super) fn time_table(&self, main: &mut Markup, parts: &[(&'static str, f64)]) {
        let time = &self.time;
        if let Some(rate) = time.images_per_second() {
            let (images, rate) = (grouped(time.images), grouped(rate as u64));
            let training = duration(Some(time.training));
            let text =
                format!("{images} training images in {training} of training: {rate} images/s.");
            main.leaf("p", &[], text);
        }
        shares(main, parts);
        if !time.profiled.is_empty() {
            main.leaf("p", &[("class", &"quiet")], "Within the trials that were profiled:");
            shares(main, &time.profiled);
        }
        let overlap = match time.overlaps {
            true => {
                " Trials ran at the same time, so the parts add up to more than the time of the process."
            }
            false => "",
        };
        let text = format!(
            "From the moments of the recorded events. Evaluation is what trials do besides training steps: validation, and copies for checkpoints. Rest is choosing trials, judging and publishing them.{overlap}"
        );
        main.leaf("p", &[("class", &"quiet")], text);
    }
}

/// Each part with its share of all.
fn shares(main: &mut Markup, parts: &[(&'static str, f64)]) {
    let all = parts.iter().map(|(_, seconds)| seconds).sum::<f64>().max(f64::MIN_POSITIVE);
    table(main, ("time", &["part", "time", "share", ""]), |body| {
        for (name, seconds) in parts {
            let share = seconds / all;
            body.element("tr", &[], |row| {
                row.leaf("th", &[("scope", &"row")], name);
                row.leaf("td", &[], duration(Some(*seconds)));
                row.leaf("td", &[], format!("{:.1} %", 100.0 * share));
                row.element("td", &[], |cell| {
                    drawing(cell, BAR, |svg| {
                        let [width, height] = [BAR[0] * share, BAR[1]].map(Px);
                        svg.leaf("rect", &[("width", &width), ("height", &height)], "");
                    });
                });
            });
        }
    });
}

/// A line from the lower to the upper end with a tick at the prediction, and a dot at the result. Places are 0..=1.
fn interval(cell: &mut Markup, [low, middle, high]: [f64; 3], reached: Option<f64>) {
    const MARGIN: f64 = 5.0;
    let across = |place: f64| {
        let inside = if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 };
        Px(MARGIN + inside * (LINE[0] - 2.0 * MARGIN))
    };
    let half = Px(LINE[1] / 2.0);
    drawing(cell, LINE, |svg| {
        let [from, to] = [low, high].map(across);
        svg.leaf("line", &[("x1", &from), ("x2", &to), ("y1", &half), ("y2", &half)], "");
        let (at, top, bottom) = (across(middle), Px(1.0), Px(LINE[1] - 1.0));
        svg.leaf("line", &[("x1", &at), ("x2", &at), ("y1", &top), ("y2", &bottom)], "");
        if let Some(reached) = reached {
            svg.leaf("circle", &[("cx", &across(reached)), ("cy", &half), ("r", &Px(4.0))], "");
        }
    });
}

/// A drawing of what stands in the row as numbers.
fn drawing(cell: &mut Markup, [width, height]: [f64; 2], inside: impl FnOnce(&mut Markup)) {
    let attributes: Attributes =
        &[("class", &"drawn"), ("width", &width), ("height", &height), ("aria-hidden", &"true")];
    cell.element("svg", attributes, inside);
}

fn table(main: &mut Markup, (class, columns): (&str, &[&str]), rows: impl FnOnce(&mut Markup)) {
    main.element("div", &[("class", &"scroll"), ("tabindex", &"0")], |scroll| {
        scroll.element("table", &[("class", &class)], |table| {
            table.element("thead", &[], |head| {
                head.element("tr", &[], |row| {
                    for name in columns {
                        match *name {
                            "" => row.leaf("td", &[], ""),
                            name => row.leaf("th", &[("scope", &"col")], name),
                        }
                    }
                });
            });
            table.element("tbody", &[], rows);
        });
    });
}

#[cfg(test)]
mod tests;
