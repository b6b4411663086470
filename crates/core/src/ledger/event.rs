//! The events of a study.

mod name;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::record::measures::recalls;
use crate::record::{
    Basis, ClassRecall, Conclusion, DataFinding, FloorJudgement, FoldResult, Forecast, Forgetting,
    GraftReport, Inherit, InheritedModel, Probe, Profile, SplitCounts, StudyResult,
};
use crate::spec::Edit;
use crate::sys::nan_if_null;

/// An event of a study, as one line of `events.jsonl`. Losses may be NaN, written as `null`; accuracies
/// are fractions, 0..=1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A study started.
    StudyStarted {
        /// The study's name.
        name: String,
        /// Whether failed trials are followed by edited ones: `tune` or `train`.
        command: String,
        /// The run folder.
        run: String,
        /// Hash of the spec that the study began with.
        spec_hash: String,
        /// Hash of the images and labels.
        data_hash: String,
        /// The study's seed.
        seed: u64,
        /// Name of the device.
        device: String,
        /// Number of CPU threads.
        threads: usize,
        /// Number of training images.
        train_images: usize,
        /// Number of validation images.
        validation_images: usize,
        /// Number of test images.
        test_images: usize,
        /// The accuracy that the gate requires.
        threshold: f64,
        /// The largest number of trials.
        trials: u32,
        /// The instruction set of the CPU kernels; results have the same bits on the same one only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instruction_set: Option<String>,
    },
    /// The requested data was not available, so the built-in digits are used.
    DataFallback {
        /// The reason.
        reason: String,
    },
    /// The images were examined before the first trial.
    DataExamined {
        /// The name of each class, by label.
        classes: Vec<String>,
        /// Images of each class in each split.
        counts: SplitCounts,
        /// What is unusual about them.
        findings: Vec<DataFinding>,
        /// `[channels, height, width]` of an image; not in records of version 0.1.0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<[usize; 3]>,
    },
    /// A process had the images ready: found, decoded or read from the cache, checked and split.
    ImagesLoaded {
        /// Images of all splits.
        images: u64,
        /// Seconds that it took, before the process told anything else.
        #[serde(deserialize_with = "nan_if_null")]
        seconds: f64,
    },
    /// The study starts with the weights of a trained model.
    ModelInherited(InheritedModel),
    /// A trial started.
    TrialStarted {
        /// Counted from 1.
        trial: u32,
        /// The trial that it was grown from.
        parent: Option<u32>,
        /// The edits that led from the parent's spec to this one's.
        edits: Vec<Edit>,
        /// What the trial inherits from its parent.
        inherit: Inherit,
        /// The reason for the edits, as a clause.
        reason: String,
        /// Hash of the trial's spec.
        spec_hash: String,
        /// Trainable parameters.
        parameters: u64,
        /// Floating-point operations of a forward pass of one image.
        flops_per_image: u64,
        /// Expected seconds of training, estimated from its parent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected_seconds: Option<f64>,
        /// The forecast made when it was proposed; not in records of version 0.1.0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forecast: Option<Forecast>,
    },
    /// Weights were grafted from the parent.
    Grafted {
        /// The child.
        trial: u32,
        /// The parent.
        parent: u32,
        /// Which weights were carried over.
        summary: GraftReport,
    },
    /// An epoch was trained and evaluated.
    EpochFinished {
        /// The trial.
        trial: u32,
        /// Counted from 1.
        epoch: u32,
        /// Mean loss over the training batches.
        #[serde(deserialize_with = "nan_if_null")]
        train_loss: f64,
        /// Accuracy over the training batches.
        #[serde(deserialize_with = "nan_if_null")]
        train_accuracy: f64,
        /// Mean loss over the validation images.
        #[serde(deserialize_with = "nan_if_null")]
        validation_loss: f64,
        /// Accuracy over the validation images.
        #[serde(deserialize_with = "nan_if_null")]
        validation_accuracy: f64,
        /// Learning rate of the epoch's last step.
        #[serde(deserialize_with = "nan_if_null")]
        learning_rate: f64,
        /// Seconds of training.
        #[serde(deserialize_with = "nan_if_null")]
        seconds: f64,
        /// Seconds of evaluating the validation images.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evaluation_seconds: Option<f64>,
        /// Training images used in it.
        #[serde(default, skip_serializing_if = "is_zero")]
        images: u64,
        /// Mean training loss over each eighth of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        course: Vec<f64>,
        /// Activations and gradients after it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probe: Option<Probe>,
        /// Correctly classified validation images of each class, by label.
        #[serde(default, skip_serializing_if = "Vec::is_empty", with = "recalls")]
        recalls: Vec<ClassRecall>,
        /// Why the trial was given up in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        given_up: Option<String>,
    },
    /// A checkpoint was written.
    CheckpointWritten {
        /// The trial.
        trial: u32,
        /// The epoch.
        epoch: u32,
        /// The step.
        step: u64,
        /// Its folder, relative to the run folder.
        path: String,
        /// Its size in bytes.
        bytes: u64,
        /// Seconds that writing took, in parallel to training.
        #[serde(deserialize_with = "nan_if_null")]
        seconds: f64,
    },
    /// A checkpoint is damaged and was not used.
    CheckpointRejected {
        /// The damaged file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Where a trial's time went, with `--profile`.
    TrialProfiled {
        /// The trial.
        trial: u32,
        /// Seconds by part, and floating-point operations a second.
        profile: Profile,
    },
    /// A fold of a trial was measured, with `[gate] folds`.
    FoldFinished {
        /// The trial.
        trial: u32,
        /// The fold, counted from 1; the first is the validation split.
        fold: u32,
        /// How many folds there are.
        folds: u32,
        /// Images of the fold.
        images: u64,
        /// Of these, images classified correctly by a network that was trained on the other folds.
        correct: u64,
        /// Correctly classified images of each class, by label.
        #[serde(default, skip_serializing_if = "Vec::is_empty", with = "recalls")]
        recalls: Vec<ClassRecall>,
        /// Number of epochs trained.
        epochs: u32,
        /// Seconds of training.
        #[serde(deserialize_with = "nan_if_null")]
        seconds: f64,
    },
    /// A trial ended.
    TrialFinished {
        /// The trial.
        trial: u32,
        /// Number of epochs trained.
        epochs: u32,
        /// Accuracy over the validation images; over those of all measured folds, with `[gate] folds`.
        #[serde(deserialize_with = "nan_if_null")]
        validation_accuracy: f64,
        /// Seconds of training, those for the folds included.
        #[serde(deserialize_with = "nan_if_null")]
        train_seconds: f64,
        /// Training images per second.
        #[serde(deserialize_with = "nan_if_null")]
        images_per_second: f64,
        /// Why it ended, and its diagnosis.
        diagnosis: Conclusion,
    },
    /// A learning rate range test was made.
    RatesTested {
        /// The trial.
        trial: u32,
        /// The learning rate of each step.
        rates: Vec<f64>,
        /// The smoothed loss before each step.
        losses: Vec<f64>,
        /// The suggested rate; `None` if the loss did not fall at any rate.
        suggestion: Option<f64>,
    },
    /// The gate was applied to a trial.
    GateDecided {
        /// The trial.
        trial: u32,
        /// The decision.
        decision: Verdict,
        /// The accuracy that it requires.
        threshold: f64,
        /// The trial's accuracy on the validation images.
        #[serde(deserialize_with = "nan_if_null")]
        accuracy: f64,
        /// The lower confidence bound of that accuracy, if the gate judges by it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        judged: Option<f64>,
        /// The judgements on balanced accuracy and least recall, if required.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        floors: Vec<FloorJudgement>,
        /// The images that these figures are of, if not the validation images.
        #[serde(default, skip_serializing_if = "Basis::is_validation")]
        basis: Basis,
    },
    /// A stopped study was resumed.
    StudyResumed {
        /// The run folder.
        run: String,
        /// Number of finished trials.
        trials: u32,
        /// The instruction set that it continues with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instruction_set: Option<String>,
    },
    /// A trial was resumed from a checkpoint.
    TrialResumed {
        /// The trial.
        trial: u32,
        /// The checkpoint's epoch.
        epoch: u32,
        /// The checkpoint's step.
        step: u64,
        /// The fold whose network it is, if not that of the trial itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fold: Option<u32>,
    },
    /// The best model was evaluated on the test images outside of the study.
    TestSplitRead {
        /// The command that did that.
        command: String,
        /// Number of images.
        images: u64,
        /// Accuracy on them.
        #[serde(deserialize_with = "nan_if_null")]
        accuracy: f64,
        /// Hash of the model's weights.
        weights_hash: String,
        /// Hash of the images and labels.
        data_hash: String,
    },
    /// The best model was measured on the validation images of the run that it was continued from.
    ForgettingMeasured {
        /// The trial of the best model.
        trial: u32,
        /// What was measured.
        forgetting: Forgetting,
    },
    /// A study was stopped on request.
    StudyStopped {
        /// The signal's name.
        signal: String,
    },
    /// A trial's checkpoints, which are no longer needed, were removed.
    CheckpointsRemoved {
        /// The trial.
        trial: u32,
    },
    /// A finished study was extended.
    StudyExtended {
        /// Counted from 1.
        extension: u32,
        /// Trials added to the budget, without the one that trains for `more_epochs`.
        more_trials: u32,
        /// Epochs that the best trial is trained further.
        more_epochs: u32,
        /// The new gate, if changed.
        gate: Option<f64>,
        /// The largest number of trials from now on, including earlier ones.
        trials: u32,
        /// The accuracy that the gate requires from now on.
        threshold: f64,
        /// Identifies a supervised command, so that it extends the study only once even if it is restarted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<String>,
    },
    /// A job was submitted for a trial that trains on another machine.
    JobSubmitted {
        /// The trial.
        trial: u32,
        /// The part of its work: `train`, `fold-2` and so on, `rates`.
        part: String,
        /// Counted from 1 for each part of a trial.
        submission: u32,
        /// The scheduler's id of the job.
        job: String,
    },
    /// A job of a trial is over.
    JobEnded {
        /// The trial.
        trial: u32,
        /// The part of its work.
        part: String,
        /// The number of the submission.
        submission: u32,
        /// The scheduler's id of the job.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<String>,
        /// The node that it ran on last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// Why it came to nothing; `None` if its result counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Seconds from its submission to its beginning.
        #[serde(deserialize_with = "nan_if_null")]
        queue_seconds: f64,
        /// Seconds for which it held its nodes.
        #[serde(deserialize_with = "nan_if_null")]
        seconds: f64,
    },
    /// A node gets no more jobs, because it failed two of them within a minute.
    NodeExcluded {
        /// The node.
        node: String,
        /// How it failed last.
        why: String,
    },
    /// A study finished.
    StudyFinished(StudyResult),
    /// The supervisor is about to restart the trainer.
    SupervisorRestarted {
        /// Why the trainer ended.
        cause: String,
        /// Counted from 1.
        attempt: u32,
        /// Seconds before the restart.
        #[serde(deserialize_with = "nan_if_null")]
        delay: f64,
    },
    /// The supervisor gave up.
    SupervisorGaveUp {
        /// The reason.
        cause: String,
        /// Number of restarts.
        restarts: u32,
    },
    /// An event written by a newer version of burgeon, kept as it is.
    #[serde(skip)]
    Unknown {
        /// The format version of its line.
        version: u64,
        /// Its name.
        name: String,
        /// All its keys but `v`, `event` and `at`.
        fields: Map<String, Value>,
    },
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The decision of the gate on a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The trial passes.
    Accept,
    /// It does not pass; there may be another trial.
    Continue,
    /// It does not pass, and there will be no other trial.
    Reject,
}

impl Event {
    /// The fold that was measured of a trial.
    pub(crate) fn of_fold(trial: u32, result: &FoldResult) -> Self {
        let FoldResult { fold, folds, images, correct, recalls, epochs, seconds } = result.clone();
        Self::FoldFinished { trial, fold, folds, images, correct, recalls, epochs, seconds }
    }

    /// The trial and its fold that this is the end of; `None` for other events.
    pub(crate) fn measured_fold(&self) -> Option<(u32, FoldResult)> {
        let Self::FoldFinished { trial, fold, folds, images, correct, recalls, epochs, seconds } =
            self
        else {
            return None;
        };
        let result = FoldResult {
            fold: *fold,
            folds: *folds,
            images: *images,
            correct: *correct,
            recalls: recalls.clone(),
            epochs: *epochs,
            seconds: *seconds,
        };
        Some((*trial, result))
    }
}

#[cfg(test)]
pub(super) mod samples_tests;
