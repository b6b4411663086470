//! Diagnoses why a trial misses its gate, from its learning curves, gradients and activations.
//!
//! [`Signs`] are the measurements; [`diagnose`] compares them with the unusual settings of the study
//! ([`suspects`]) and names the most likely cause.

mod signs;
mod words;

use self::signs::{Signs, Stall};
use self::words::{Percent, Points, list};
use super::growth::is_small_for_its_gate;
use super::history::TrialRecord;
use super::recommended::{Effect, Suspect, suspects};
use crate::record::{Diagnosis, Ending, Finding};

/// Why a trial misses its gate, with the evidence; [`Diagnosis::Healthy`] if `passes_gate`.
pub fn diagnose(trial: &TrialRecord, passes_gate: bool) -> Finding {
    if passes_gate {
        let accuracy = Percent(trial.accuracy());
        return Finding::new(Diagnosis::Healthy, format!("validation accuracy is {accuracy}"));
    }
    let suspects = suspects(&trial.spec, trial.images_per_epoch());
    let Some(signs) = Signs::of(trial) else {
        if trial.ending == Ending::OutOfTime {
            let evidence = "no epoch could be evaluated within the time limit";
            return Finding::new(Diagnosis::StillImproving, evidence);
        }
        let rate = trial.spec.train().learning_rate;
        return Finding::new(
            Diagnosis::Diverged,
            format!(
                "the loss was no longer finite before the first epoch ended, at a learning rate of {rate}{}",
                because(&suspects, &[Effect::StepsTooLong, Effect::BadStart])
            ),
        );
    };
    let examination = Examination { trial, suspects: &suspects, signs: &signs };
    examination
        .diverged()
        .or_else(|| examination.suspicious_data())
        .or_else(|| if signs.is_learning { None } else { Some(examination.learns_nothing()) })
        .or_else(|| examination.wrong_steps())
        .or_else(|| examination.held_back())
        .or_else(|| examination.partly_stalled())
        .or_else(|| examination.overfit())
        .unwrap_or_else(|| examination.too_short_or_too_small())
}

/// `; ` and the suspects with one of these effects, or nothing.
fn because(suspects: &[Suspect], effects: &[Effect]) -> String {
    let what: Vec<&str> = suspects
        .iter()
        .filter(|suspect| effects.contains(&suspect.effect))
        .map(|suspect| suspect.what.as_str())
        .collect();
    if what.is_empty() { String::new() } else { format!("; {}", list(&what)) }
}

struct Examination<'a> {
    trial: &'a TrialRecord,
    suspects: &'a [Suspect],
    signs: &'a Signs,
}

impl Examination<'_> {
    fn has(&self, effect: Effect) -> bool {
        self.suspects.iter().any(|suspect| suspect.effect == effect)
    }

    fn because(&self, effects: &[Effect]) -> String {
        because(self.suspects, effects)
    }

    fn diverged(&self) -> Option<Finding> {
        (self.trial.ending == Ending::Diverged).then(|| {
            Finding::new(
                Diagnosis::Diverged,
                format!(
                    "the loss was no longer finite after epoch {}, at a learning rate of {}{}",
                    self.signs.epochs,
                    self.trial.spec.train().learning_rate,
                    self.because(&[Effect::StepsTooLong, Effect::BadStart])
                ),
            )
        })
    }

    fn suspicious_data(&self) -> Option<Finding> {
        let probe = self.trial.probe()?;
        let finding = |evidence| Some(Finding::new(Diagnosis::DataSuspicious, evidence));
        if probe.pixel_deviation < 1e-6 {
            return finding(format!(
                "all pixels of {} training images have the same value",
                probe.images
            ));
        }
        if !probe.missing_classes.is_empty() {
            return finding(format!(
                "no training image is of class {}, which therefore cannot be learned",
                list(&probe.missing_classes)
            ));
        }
        // A class that is never predicted by a network that classifies the others correctly.
        let share = probe.unnamed_classes.len() as f64 / self.signs.classes;
        if !probe.unnamed_classes.is_empty()
            && self.signs.train_accuracy > 0.97
            && self.signs.accuracy > (1.0 - share) * 0.9
        {
            return finding(format!(
                "class {} is never predicted, although training accuracy is {}",
                list(&probe.unnamed_classes),
                Percent(self.signs.train_accuracy)
            ));
        }
        None
    }

    /// The network does no better than guessing.
    fn learns_nothing(&self) -> Finding {
        let signs = self.signs;
        let guessing = format!(
            "training images are classified correctly {} of the time at a loss of {:.2} (guessing: {} and {:.2})",
            Percent(signs.train_accuracy),
            signs.train_loss,
            Percent(1.0 / signs.classes),
            signs.classes.ln()
        );
        let finding = |diagnosis, effects: &[Effect]| {
            Finding::new(diagnosis, format!("{guessing}{}", self.because(effects)))
        };
        if self.has(Effect::StepsTooLong) {
            return finding(Diagnosis::LearningRateTooHigh, &[Effect::StepsTooLong]);
        }
        if self.has(Effect::BadStart) {
            return self.stalled(&guessing);
        }
        if self.has(Effect::HeldBack) {
            return finding(Diagnosis::OverRegularized, &[Effect::HeldBack]);
        }
        if self.has(Effect::Fading) && signs.stall.is_some() {
            return self.stalled(&guessing);
        }
        if self.has(Effect::StepsTooShort) {
            return finding(Diagnosis::LearningRateTooLow, &[Effect::StepsTooShort]);
        }
        if signs.steps < 60.0 || self.has(Effect::TooFewSteps) {
            return Finding::new(
                Diagnosis::StillImproving,
                format!(
                    "{:.0} steps are too few to learn from{}",
                    signs.steps,
                    self.because(&[Effect::TooFewSteps])
                ),
            );
        }
        if self.has(Effect::Fading) || signs.stall.is_some() {
            return self.stalled(&guessing);
        }
        if self.has(Effect::PixelsLost) || is_small_for_its_gate(&self.trial.spec) {
            return self.underfit();
        }
        self.stalled(&guessing)
    }

    fn stalled(&self, what: &str) -> Finding {
        let effects = [Effect::BadStart, Effect::Fading, Effect::Mismatch];
        let stall = self.signs.stall.as_ref().map(|stall| format!("; {stall}")).unwrap_or_default();
        Finding::new(Diagnosis::Stalled, format!("{what}{stall}{}", self.because(&effects)))
    }

    /// Something is learned, but steps are far too long or too short.
    fn wrong_steps(&self) -> Option<Finding> {
        let signs = self.signs;
        if self.has(Effect::StepsTooLong) {
            let swings = match signs.lost {
                lost if lost > 0.01 => format!(", {} below its best", Points(lost)),
                _ => String::new(),
            };
            return Some(Finding::new(
                Diagnosis::LearningRateTooHigh,
                format!(
                    "validation accuracy ended at {}{swings}{}",
                    Percent(signs.last_accuracy),
                    self.because(&[Effect::StepsTooLong])
                ),
            ));
        }
        if self.has(Effect::StepsTooShort) && signs.is_falling {
            return Some(Finding::new(
                Diagnosis::LearningRateTooLow,
                format!(
                    "the validation loss, now {:.2}, still falls slowly but steadily{}",
                    signs.validation_loss,
                    self.because(&[Effect::StepsTooShort])
                ),
            ));
        }
        // No setting is suspect, but what was learned is lost again and again.
        (signs.lost > 0.05 && signs.swings >= 2).then(|| {
            Finding::new(
                Diagnosis::LearningRateTooHigh,
                format!(
                    "validation accuracy is unstable: it fell {} times and ended {} below its best",
                    signs.swings,
                    Points(signs.lost)
                ),
            )
        })
    }

    fn held_back(&self) -> Option<Finding> {
        self.has(Effect::HeldBack).then(|| {
            Finding::new(
                Diagnosis::OverRegularized,
                format!(
                    "{} on training images (with augmentation and dropout), {} on validation images{}",
                    Percent(self.signs.train_accuracy),
                    Percent(self.signs.last_accuracy),
                    self.because(&[Effect::HeldBack])
                ),
            )
        })
    }

    fn partly_stalled(&self) -> Option<Finding> {
        let known =
            self.has(Effect::BadStart) || self.has(Effect::Mismatch) || self.has(Effect::Fading);
        let dead = matches!(self.signs.stall, Some(Stall::Dead { share, .. }) if share > 0.5);
        (known || dead).then(|| {
            self.stalled(&format!("validation accuracy stays at {}", Percent(self.signs.accuracy)))
        })
    }

    fn overfit(&self) -> Option<Finding> {
        let signs = self.signs;
        let gate = self.trial.spec.gate().highest_floor();
        let gap = signs.train_accuracy - signs.accuracy;
        // The higher the gate, the smaller the gap that matters.
        let allowed = (1.5 * (1.0 - gate)).clamp(0.005, 0.03);
        let uncertainty = 2.0 * signs.train_accuracy_error;
        // A network that classifies nearly all training images correctly needs more varied images.
        let memorizes = signs.train_accuracy - uncertainty > 1.0 - (1.0 - gate) / 2.0;
        let is_wide = gap > allowed + uncertainty;
        ((is_wide || memorizes) && signs.train_accuracy >= gate - 0.01).then(|| {
            Finding::new(
                Diagnosis::Overfit,
                format!(
                    "{} on training images, but {} on validation images, with {} parameters for {} images",
                    Percent(signs.train_accuracy),
                    Percent(signs.accuracy),
                    self.trial.spec.table().parameters(),
                    self.trial.images_per_epoch()
                ),
            )
        })
    }

    fn too_short_or_too_small(&self) -> Finding {
        let signs = self.signs;
        let spec = &self.trial.spec;
        let is_small = self.has(Effect::PixelsLost) || is_small_for_its_gate(spec);
        let too_few =
            self.has(Effect::TooFewSteps) || self.has(Effect::EndsEarly) || signs.steps < 200.0;
        let missing = spec.gate().highest_floor() - self.trial.score();
        let is_given_up = self.trial.ending == Ending::GivenUp;
        let is_rising = signs.is_falling && signs.gain > missing / 4.0 && !is_given_up;
        if too_few && !(is_small && signs.steps >= 100.0) || is_rising && !is_small {
            return Finding::new(
                Diagnosis::StillImproving,
                format!(
                    "validation accuracy reached {} after {:.0} steps and the last epoch still gained {}{}",
                    Percent(signs.accuracy),
                    signs.steps,
                    Points(signs.gain),
                    self.because(&[Effect::TooFewSteps, Effect::EndsEarly])
                ),
            );
        }
        self.underfit()
    }

    fn underfit(&self) -> Finding {
        Finding::new(
            Diagnosis::Underfit,
            format!(
                "only {} on training images and {} on validation images with {} parameters{}",
                Percent(self.signs.train_accuracy),
                Percent(self.signs.accuracy),
                self.trial.spec.table().parameters(),
                self.because(&[Effect::PixelsLost])
            ),
        )
    }
}
