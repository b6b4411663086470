//! When a model is retrained, and on which feedback: pure, for `burgeon retrain`.
//!
//! ```text
//! registry/retrain/000001/   one retraining; its plan is fixed when it begins, so that it resumes unchanged after a kill
//!   study.toml                        the study that is trained
//!   new/  validation/  held-out/      the feedback images to train on, to validate on and to judge on
//!   round.json                        the plan, written last; a folder without it is overwritten
//!   runs/                             the run
//! ```
//!
//! Invariant: an image whose content puts it among the held-out ones is never trained on, now or later.
//!
//! Invariant: only labels from feedback are trained on, never the model's own answers.

mod decide;
mod note;
mod schedule;
mod select;
mod settings;

pub(crate) use self::decide::{Decision, Facts, decide};
pub(crate) use self::note::{Cause, Retraining};
pub(crate) use self::select::{Label, Selected, Shortage, bounded, select};
pub(crate) use self::settings::RetrainSettings;
