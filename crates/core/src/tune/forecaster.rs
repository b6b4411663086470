//! Forecasts what the next trial of a study reaches, from the trials before it.

use super::family::{self, Member};
use super::history::TrialRecord;
use super::label_noise::{self, Floor};
use super::law::{Law, LogError};
use super::prior::{self, LAW_DEVIATION, OTHER_ARCHITECTURES, SAMPLE_DEVIATION};
use super::pruning::RemainingErrors;
use super::variety::{Variety, may_be_mirrored};
use crate::record::{Ending, Forecast, Inherit, SampleTraining};
use crate::spec::{Edit, Goal, Spec, training_flops};

/// The power law of a study's data, fitted to its trials, and what follows from it.
#[derive(Debug, Clone)]
pub(super) struct Forecaster<'h> {
    history: &'h [TrialRecord],
    law: Law,
    images: usize,
    validation_images: usize,
    /// C₀ in FLOPs; computes are multiples of it here.
    base_compute: f64,
    /// The share of validation images that may be wrong.
    allowed_error: f64,
    /// The share that stays wrong whatever is trained; the law is of the other errors.
    floor: Option<Floor>,
}

/// How much compute a member may take at most, as a multiple of the largest one before it.
pub(super) const COMPUTE_FACTOR_MAX: f64 = 16.0;
/// How much a larger member takes at least, likewise.
pub(super) const COMPUTE_FACTOR_MIN: f64 = 3.0;
/// Computes of the first member, as multiples of C₀: from about the least that was measured, and no more than eight
/// times is staked before the data's law is known.
const FIRST_COMPUTES: (f64, f64) = (0.1, 8.0);
/// The share of a study's seconds that the first member may take, so that what it teaches can still be used.
const FIRST_SHARE: f64 = 0.25;
/// The share of the compute that is left for which the last trial is planned: a cycle that is cut short before its rate has
/// fallen is worth little, and what then remains, a shorter one uses.
const REST_SHARE: f64 = 0.85;
/// What a training step takes besides the operations of its images, as so many operations, which is most of what a tiny
/// network takes: on two cores half a millisecond, in which members make about this many. So its seconds tell those of a
/// member.
const STEP_FLOPS: f64 = 1e8;
/// The largest standard deviation of a logarithm that counts.
const DEVIATION_MAX: f64 = 1.5;
/// Ratio of the computes of neighbouring candidates.
const CANDIDATE_RATIO: f64 = std::f64::consts::SQRT_2;

impl<'h> Forecaster<'h> {
    /// Fits the law to the history; `None` where nothing was tried yet.
    pub(super) fn new(history: &'h [TrialRecord]) -> Option<Self> {
        let first = history.first()?;
        let input = first.spec.input();
        let images = history.iter().map(TrialRecord::images_per_epoch).max()?;
        let validation_images =
            history.iter().filter_map(TrialRecord::judged_images).max().unwrap_or(1000);
        let allowed = allowed_error(&history.last()?.spec);
        let mut forecaster = Self {
            history,
            law: prior::law(input, images),
            images,
            validation_images,
            base_compute: family::base_compute(input, images).max(1.0),
            allowed_error: allowed,
            floor: None,
        };
        // What diverged or only guesses says nothing about networks that do not.
        let errors = 0.0..=0.9 * forecaster.majority_error();
        let learned = |trial: &&TrialRecord| {
            trial.ending != Ending::Diverged && errors.contains(&(1.0 - trial.score()))
        };
        let learned: Vec<&TrialRecord> = history.iter().filter(learned).collect();
        // Of members alone, as what people write may be unable to tell hard images from wrong labels.
        let members = learned.iter().filter(|trial| family::width_of(&trial.spec).is_some());
        let judged_by_accuracy = members.filter(|trial| trial.score() == trial.accuracy());
        forecaster.floor = label_noise::floor(judged_by_accuracy.copied(), allowed);
        if let Some(sample) = forecaster.sample(&errors) {
            let error = 1.0 - sample.score;
            forecaster.law = prior::law_after_sample(forecaster.reducible_error(error));
            let deviation = forecaster.sampling_deviation_of(error, sample.images as f64);
            let log_error = forecaster.reducible_error(error).ln();
            let compute = sample.flops / forecaster.base_compute;
            forecaster.law.observe(compute, log_error, SAMPLE_DEVIATION.hypot(deviation));
        }
        for trial in learned {
            forecaster.observe(trial);
        }
        Some(forecaster)
    }

    /// What a very small network reached, if that was measured, and more than guessing.
    fn sample(&self, errors: &std::ops::RangeInclusive<f64>) -> Option<SampleTraining> {
        let sample = self.history.iter().find_map(TrialRecord::sample)?;
        errors.contains(&(1.0 - sample.score)).then_some(sample)
    }

    fn observe(&mut self, trial: &TrialRecord) {
        let error = 1.0 - trial.score();
        let compute = self.compute_of(trial);
        let sampling_deviation = self.sampling_deviation(error);
        let log_error = self.reducible_error(error).ln();
        let is_whole = trial.ending != Ending::GivenUp && trial.ending != Ending::OutOfTime;
        let is_member = family::width_of(&trial.spec).is_some();
        let planned = trial.spec.train().epochs;
        let left = trial.curve.last().and_then(|last| RemainingErrors::after(last.epoch, planned));
        match left.filter(|_| is_member) {
            _ if is_member && is_whole => {
                self.law.observe(compute, log_error, LAW_DEVIATION.hypot(sampling_deviation));
            }
            // Where the member would have ended.
            Some(left) => {
                let images = planned * trial.images_per_epoch();
                let compute = training_flops(&trial.spec, images, 1) / self.base_compute;
                let deviation = LAW_DEVIATION.hypot(sampling_deviation).hypot(left.deviation());
                self.law.observe(compute, log_error + left.median.ln(), deviation);
            }
            None => {
                let [mean, deviation] = OTHER_ARCHITECTURES;
                self.law.observe(compute, log_error - mean, deviation.hypot(sampling_deviation));
            }
        }
    }

    /// The part of an error that training can mend, at least half the least share that the images can show.
    fn reducible_error(&self, error: f64) -> f64 {
        let images = self.validation_images as f64;
        let least = match self.floor {
            Some(_) => 0.5 * (error * (1.0 - error) / images).max(0.0).sqrt(),
            None => 0.0,
        };
        (error - self.floor_estimate()).max(least).max(0.5 / images)
    }

    fn floor_estimate(&self) -> f64 {
        self.floor.map_or(0.0, |floor| floor.estimate)
    }

    /// Standard deviation of the logarithm of the part of an error above the floor, as so many validation images
    /// measure it.
    fn sampling_deviation(&self, error: f64) -> f64 {
        self.sampling_deviation_of(error, self.validation_images as f64)
    }

    fn sampling_deviation_of(&self, error: f64, images: f64) -> f64 {
        let error = error.clamp(0.5 / images, 0.99);
        let deviation = (error * (1.0 - error) / images).sqrt();
        // Larger ones would say no more than that nothing is known.
        (deviation / self.reducible_error(error)).min(DEVIATION_MAX)
    }

    /// The median error and the ends of the interval that holds 80 %.
    fn interval(&self, error: LogError) -> [f64; 3] {
        let guess = self.majority_error();
        error.interval(guess).map(|above| (self.floor_estimate() + above).min(guess))
    }

    /// Probability that an error is allowed.
    fn pass_probability(&self, error: LogError) -> f64 {
        // That labels are less wrong than they seem is given the benefit of the doubt.
        let left = self.allowed_error - self.floor.map_or(0.0, |floor| floor.least);
        if left > 0.0 { error.at_most(left) } else { 0.0 }
    }

    /// The error of always predicting the most frequent class.
    pub(super) fn majority_error(&self) -> f64 {
        1.0 - self.history.last().map_or(0.0, TrialRecord::guess)
    }

    /// The compute of a trial and of those whose weights it has.
    pub(super) fn compute_of(&self, trial: &TrialRecord) -> f64 {
        self.own_compute(trial) + self.inherited_compute(trial)
    }

    fn own_compute(&self, trial: &TrialRecord) -> f64 {
        // The epochs of a continued training are counted on from its parent's.
        let last = trial.curve.last().map_or(0, |epoch| epoch.epoch);
        let seen = trial.images_seen().max(last * trial.images_per_epoch());
        training_flops(&trial.spec, seen, 1) / self.base_compute
    }

    fn inherited_compute(&self, trial: &TrialRecord) -> f64 {
        let is_new = trial.edits.iter().any(|edit| matches!(edit, Edit::SetLayers { .. }));
        let is_continued = trial.curve.first().is_some_and(|epoch| epoch.epoch > 1);
        let parent = trial.parent.filter(|_| !is_new && !is_continued);
        let parent = self.history.iter().find(|earlier| Some(earlier.trial) == parent);
        parent
            .filter(|parent| parent.trial < trial.trial)
            .map_or(0.0, |parent| self.compute_of(parent))
    }

    /// The largest compute of a member of the family so far.
    pub(super) fn largest_member(&self) -> Option<f64> {
        let members = self.history.iter().filter(|trial| family::width_of(&trial.spec).is_some());
        members.map(|trial| self.compute_of(trial)).reduce(f64::max)
    }

    /// The error of a member with this compute.
    fn error_at(&self, compute: f64) -> LogError {
        let error = self.law.at(compute, LAW_DEVIATION);
        let sampling_deviation = self.sampling_deviation(
            (self.floor_estimate() + error.mean.exp()).min(self.majority_error()),
        );
        LogError { deviation: error.deviation.hypot(sampling_deviation), ..error }
    }

    /// Probability that a member of this compute passes.
    pub(super) fn pass_probability_at(&self, compute: f64) -> f64 {
        self.pass_probability(self.error_at(compute))
    }

    /// The least compute at which a member passes with this probability, between two bounds.
    fn least_compute(&self, probability: f64, bounds: (f64, f64)) -> Option<f64> {
        least_compute(|compute| self.pass_probability_at(compute) >= probability, bounds)
    }

    /// How sure the next trial should be to pass: the surer, the fewer trials are left after it.
    fn target_probability(&self) -> f64 {
        let budget = self.history.last().map_or(0, |trial| trial.spec.tune().trials);
        match budget.saturating_sub(self.history.len()) {
            ..=1 => 0.9,
            2 => 0.85,
            _ => 0.8,
        }
    }

    /// Compute of the member to try next.
    pub(super) fn next_compute(&self) -> f64 {
        let probability = self.target_probability();
        match self.largest_member() {
            // A cheaper one, which also measures how fast errors fall.
            None => {
                let most = self.affordable_first().unwrap_or(FIRST_COMPUTES.1);
                let bounds = (self.least_first().min(most), most);
                self.least_compute(probability.min(0.7), bounds).unwrap_or(most)
            }
            Some(largest) => {
                if let Some(rest) = self.rest_for_best() {
                    return rest;
                }
                let most = self.affordable_compute().unwrap_or(f64::INFINITY).max(largest);
                let bounds = (
                    (COMPUTE_FACTOR_MIN * largest).min(most),
                    (COMPUTE_FACTOR_MAX * largest).min(most),
                );
                let compute = self.least_compute(probability, bounds);
                // Where even more than that is not likely to pass, little is staked.
                let rest = if self.is_out_of_reach() { bounds.0 } else { bounds.1 };
                compute.unwrap_or(rest)
            }
        }
    }

    /// The least compute of the first member: what the sample took, as far as there is one. Members of less have so few steps that
    /// they are off any line: of eight that `benches/calibration.py` measured at half the sample's compute, on sets that nothing
    /// was fitted to, five missed what was expected by 4 to 38 points. They would save no more than the second that a sample takes.
    fn least_first(&self) -> f64 {
        let (least, most) = FIRST_COMPUTES;
        let sample = self.history.iter().find_map(TrialRecord::sample);
        sample.map_or(least, |sample| (sample.flops / self.base_compute).clamp(least, most))
    }

    /// All the compute that is left, where the best network is wanted and no two larger members fit into the seconds any
    /// more: then more compute is what helps most.
    fn rest_for_best(&self) -> Option<f64> {
        let is_for_best = self.history.last()?.spec.tune().goal == Goal::Best;
        let rest = REST_SHARE * self.affordable_compute().filter(|_| is_for_best)?;
        (rest < 2.0 * COMPUTE_FACTOR_MIN * self.largest_member()?).then_some(rest)
    }

    /// The seconds of the study that its recorded trials have left.
    fn seconds_left(&self) -> Option<f64> {
        let tune = self.history.last()?.spec.tune();
        let spent: f64 = self.history.iter().map(|trial| trial.train_seconds).sum();
        Some(tune.seconds? - spent / tune.jobs.max(1) as f64)
    }

    /// The most compute of the first member for which `FIRST_SHARE` of the seconds of the study last, at the throughput
    /// of the first trial that was timed; at most what it takes without such a limit.
    fn affordable_first(&self) -> Option<f64> {
        let seconds = FIRST_SHARE * self.seconds_left()?;
        let work = |flops: f64, images: f64, batch: usize| {
            flops + STEP_FLOPS * images / batch.max(1) as f64
        };
        let sample = self.history.iter().find_map(TrialRecord::sample);
        // A sample is a small member itself.
        let rate = if let Some(sample) = sample.filter(|sample| sample.seconds > 0.0) {
            (sample.flops + STEP_FLOPS * f64::from(sample.steps)) / sample.seconds
        } else {
            let timed = self.history.iter().find(|trial| trial.train_seconds > 0.0)?;
            let seen = timed.images_seen();
            let batch = timed.spec.train().batch_size;
            let done = work(training_flops(&timed.spec, seen, 1), seen as f64, batch);
            done / timed.seconds_with_all_folds()
        };
        let takes = |compute: &f64| {
            let images = (self.member(*compute).epochs * self.images) as f64;
            work(compute * self.base_compute, images, family::batch(self.images)) / rate
        };
        let (least, most) = FIRST_COMPUTES;
        let less = std::iter::successors(Some(most), |compute| Some(compute / CANDIDATE_RATIO));
        let mut larger = less.take_while(|&compute| compute > least);
        Some(larger.find(|compute| takes(compute) <= seconds).unwrap_or(least))
    }

    /// `wanted` epochs of `spec`, or as many as the seconds of the study still last for, at least one; all of those for
    /// the last trial of a study for the best network.
    pub(super) fn affordable_epochs(&self, spec: &Spec, wanted: usize) -> usize {
        let an_epoch = training_flops(spec, self.images, 1) / self.base_compute;
        let epochs = |compute: f64| ((compute / an_epoch) as usize).max(1);
        let most = self.affordable_compute().map_or(wanted, |most| wanted.min(epochs(most)));
        self.rest_for_best().map_or(most, epochs)
    }

    /// The compute for which the seconds of the study still last, at the throughput of its largest member. Both are of
    /// recorded trials, so that a resumed study decides alike.
    fn affordable_compute(&self) -> Option<f64> {
        let left = self.seconds_left()?;
        let members = self.history.iter().filter(|trial| family::width_of(&trial.spec).is_some());
        let timed = members.filter(|trial| trial.train_seconds > 0.0);
        let largest = timed.max_by(|a, b| self.own_compute(a).total_cmp(&self.own_compute(b)))?;
        // Data is loaded, and models are saved, in the same seconds.
        // With folds, the next trial trains all of them.
        let seconds = largest.seconds_with_all_folds();
        (left > 0.0).then(|| 0.9 * left * self.own_compute(largest) / seconds)
    }

    /// Whether images may be mirrored in a trial grown from `parent`: not after that made one worse.
    pub(super) fn may_mirror(&self, parent: &TrialRecord) -> bool {
        let made_worse = self.history.iter().any(|trial| {
            let grown_from = self.history.iter().find(|from| Some(from.trial) == trial.parent);
            trial.spec.train().augment.flip
                && grown_from.is_some_and(|from| {
                    !from.spec.train().augment.flip && trial.score() < from.score()
                })
        });
        !made_worse && may_be_mirrored(parent)
    }

    /// The member of so much compute.
    pub(super) fn member(&self, compute: f64) -> Member {
        Member::of(self.images, compute)
    }

    /// What to expect of `spec`, grown from `parent`.
    pub(super) fn forecast(&self, parent: &TrialRecord, spec: &Spec, inherit: Inherit) -> Forecast {
        let epochs = spec.train().epochs;
        let done = match inherit {
            Inherit::State => parent.curve.last().map_or(0, |last| last.epoch),
            Inherit::Nothing | Inherit::Weights | Inherit::Refreshed => 0,
        };
        let images = self.images * epochs.saturating_sub(done);
        let own = training_flops(spec, images, 1);
        let compute = own / self.base_compute
            + match inherit {
                Inherit::Nothing => 0.0,
                _ => self.compute_of(parent),
            };
        let mut error = self.error_at(compute.max(1e-9));
        let parent_error = 1.0 - parent.score();
        if family::width_of(spec).is_none() {
            let [mean, deviation] = OTHER_ARCHITECTURES;
            error.mean += mean;
            error.deviation = error.deviation.hypot(deviation);
        }
        // With the weights of a trial that learned, it is known where training begins.
        if inherit != Inherit::Nothing && (0.0..0.9 * self.majority_error()).contains(&parent_error)
        {
            let [alpha, spread] = self.law.alpha();
            let growth = (compute / self.compute_of(parent).max(1e-9)).max(1.0).ln();
            error.mean = self.reducible_error(parent_error).ln() - alpha * growth;
            error.deviation =
                (spread * growth).hypot(LAW_DEVIATION).hypot(self.sampling_deviation(parent_error));
        }
        let [low, median, high] = self.interval(error);
        let trainings = spec.gate().folds.unwrap_or(1);
        Forecast {
            accuracy: 1.0 - median,
            low: 1.0 - high,
            high: 1.0 - low,
            passes: self.pass_probability(error),
            training_flops: own * trainings as f64,
            images: (images * trainings) as u64,
            out_of_reach: self.out_of_reach(),
        }
    }

    /// The most that a member of the remaining trials may take.
    fn most_compute(&self) -> Option<f64> {
        let trials = self.history.last()?.spec.tune().trials;
        let left = trials.saturating_sub(self.history.len());
        Some(self.largest_member()? * COMPUTE_FACTOR_MAX.powi(left.min(2) as i32))
    }

    fn is_out_of_reach(&self) -> bool {
        let members = self.history.iter().filter(|trial| family::width_of(&trial.spec).is_some());
        let best = members.max_by(|a, b| a.score().total_cmp(&b.score()));
        // The law is of members with the same variety of images; what more of it brings is not known yet.
        if best.is_some_and(Variety::is_lacking) {
            return false;
        }
        self.most_compute()
            .is_some_and(|most| self.pass_probability_at(most) <= OUT_OF_REACH_PROBABILITY)
    }

    /// Once members were measured: why no member that the budget allows is likely to pass, what is the best that can
    /// be expected, and what would help. `None` while the gate may be reached.
    fn out_of_reach(&self) -> Option<String> {
        let (largest, most) = (self.largest_member()?, self.most_compute()?);
        if !self.is_out_of_reach() {
            return None;
        }
        let [low, median, _] = self.interval(self.error_at(most));
        if let Some(floor) = self.floor.filter(|floor| floor.least >= self.allowed_error) {
            return Some(format!(
                "the gate is likely out of reach: {:.1} % of the images of which the network is surest carry another label, whereas the gate allows {:.1} % of all to be wrong; the labels of such images should be checked, or the gate lowered to about {:.0} %",
                floor.estimate * 100.0,
                self.allowed_error * 100.0,
                ((1.0 - median) * 100.0).floor()
            ));
        }
        // Errors fall with images as they do with compute, by about the same power (Hestness et al. 2017).
        let [alpha, _] = self.law.alpha();
        let more = (median / self.allowed_error).powf(1.0 / (2.0 * alpha).clamp(0.1, 0.5));
        let images = (self.images as f64 * more).min(1e12);
        Some(format!(
            "the gate is likely out of reach: even {:.0} times the compute is expected to end at {:.1} %, at best {:.1} %; about {} training images, a lower gate, or cleaner labels would help",
            most / largest,
            (1.0 - median) * 100.0,
            (1.0 - low) * 100.0,
            rounded(images)
        ))
    }
}

/// The member with which a study of such data and such a gate begins.
pub(super) fn first_member(spec: &Spec, images: usize) -> Member {
    let law = prior::law(spec.input(), images);
    let allowed = allowed_error(spec);
    let passes = |compute| law.at(compute, LAW_DEVIATION).at_most(allowed) >= 0.5;
    Member::of(images, least_compute(passes, FIRST_COMPUTES).unwrap_or(FIRST_COMPUTES.1))
}

/// The first compute between two bounds that `passes`.
fn least_compute(passes: impl Fn(f64) -> bool, (low, high): (f64, f64)) -> Option<f64> {
    let candidates = std::iter::successors(Some(low), |compute| Some(compute * CANDIDATE_RATIO));
    candidates.take_while(|&compute| compute < high).find(|&compute| passes(compute))
}

/// A gate that is passed with no more than this probability is called out of reach.
const OUT_OF_REACH_PROBABILITY: f64 = 0.02;

/// The share of validation images that a gate allows to be wrong.
pub(super) fn allowed_error(spec: &Spec) -> f64 {
    (1.0 - spec.gate().highest_floor()).max(1e-4)
}

/// Two digits, and what they count.
fn rounded(images: f64) -> String {
    let digits = images.log10().floor().max(1.0) - 1.0;
    let step = 10_f64.powf(digits);
    format!("{:.0}", (images / step).round() * step)
}
