//! The front of a study: trials that no other one beats in accuracy and in parameters, operations or time per image.

use super::{LineageTrial, Report, trial_words, words};

/// What a network costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    Parameters,
    Flops,
    Milliseconds,
}

impl Cost {
    pub(super) const ALL: [Self; 3] = [Self::Parameters, Self::Flops, Self::Milliseconds];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Flops => "FLOPs per image",
            Self::Milliseconds => "milliseconds per image",
        }
    }

    /// Its value for a trial; `None` if it is not known, or nothing that a logarithm is taken of.
    pub(super) fn of(self, trial: &LineageTrial) -> Option<f64> {
        let value = match self {
            Self::Parameters => trial.parameters as f64,
            Self::Flops => trial.flops_per_image as f64,
            Self::Milliseconds => trial.milliseconds_per_image?,
        };
        (value.is_finite() && value > 0.0).then_some(value)
    }

    pub(super) fn words(self, value: f64) -> String {
        match self {
            Self::Parameters => words::grouped(value as u64),
            Self::Flops => words::magnitude(value as u64),
            // Two digits of what a clock said.
            Self::Milliseconds => {
                let digits = (1.0 - value.log10().floor()).clamp(0.0, 9.0) as usize;
                format!("{value:.digits$}")
            }
        }
    }
}

/// A trial on the front, and the costs by which no other one beats it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OnFront<'a> {
    pub(super) trial: &'a LineageTrial,
    costs: Vec<Cost>,
}

/// The columns of [`OnFront::cells`].
pub(super) const FRONT_COLUMNS: [&str; 7] =
    ["trial", "validation", "parameters", "FLOPs", "ms/image", "best for its", "gate"];

impl OnFront<'_> {
    pub(super) fn cells(&self) -> [String; 7] {
        let cost = |cost: Cost| cost.of(self.trial).map_or("–".into(), |value| cost.words(value));
        let short = |cost: &Cost| match cost {
            Cost::Parameters => "parameters",
            Cost::Flops => "FLOPs",
            Cost::Milliseconds => "time",
        };
        [
            self.trial.trial.to_string(),
            words::percent(self.trial.measured()),
            cost(Cost::Parameters),
            cost(Cost::Flops),
            cost(Cost::Milliseconds),
            self.costs.iter().map(short).collect::<Vec<_>>().join(", "),
            trial_words::gate(self.trial).into(),
        ]
    }
}

impl Report {
    /// Trials that are on the front by some cost, from few parameters to many; none unless two trials were measured.
    pub(super) fn front(&self) -> Vec<OnFront<'_>> {
        let trials = &self.lineage.trials;
        if trials.iter().filter(|trial| trial.measured().is_some()).count() < 2 {
            return Vec::new();
        }
        let mut front: Vec<OnFront> = Vec::new();
        for cost in Cost::ALL {
            for (trial, ..) in front_by(trials, cost) {
                match front.iter_mut().find(|on| on.trial.trial == trial.trial) {
                    Some(on) => on.costs.push(cost),
                    None => front.push(OnFront { trial, costs: vec![cost] }),
                }
            }
        }
        front.sort_by_key(|on| (on.trial.parameters, on.trial.trial));
        front
    }

    pub(super) fn front_sentence(&self) -> &'static str {
        "No other trial is as accurate with as few parameters, as few FLOPs per image or as little time per image as these."
    }

    /// Under which conditions milliseconds were measured.
    pub(super) fn speed_note(&self) -> String {
        format!(
            "Times are those of classifying the validation images in batches on {}, the fastest of each trial's epochs.",
            self.started.device
        )
    }
}

/// The trials that none beats by a cost, with that cost and their accuracy, the cheapest first.
pub(super) fn front_by(trials: &[LineageTrial], cost: Cost) -> Vec<(&LineageTrial, f64, f64)> {
    let measured = |trial| Some((trial, cost.of(trial)?, LineageTrial::measured(trial)?));
    let mut points: Vec<_> = trials.iter().filter_map(measured).collect();
    // Of equal ones the first is kept.
    points.sort_by(|a, b| a.1.total_cmp(&b.1).then(b.2.total_cmp(&a.2)));
    let mut best = f64::NEG_INFINITY;
    points.retain(|(.., accuracy)| {
        let is_better = *accuracy > best;
        best = best.max(*accuracy);
        is_better
    });
    points
}

#[cfg(test)]
pub(super) mod tests;
