//! When a model is trained again, and on which feedback: pure, for `burgeon retrain`.
//!
//! ```text
//! registry/retrain/000001/   one retraining, fixed when it begins, so that one that was killed goes on with the same
//!   study.toml  new/  held-out/   what is trained, and the images of feedback: to train on, and to judge by
//!   round.json                    written last; without it, the folder is begun anew
//!   runs/                         the run
//! ```
//!
//! Invariant: an image whose content puts it among the held-out ones is never trained on, now or later.
//!
//! Invariant: only labels that somebody gave are trained on, never the model's own answers.

mod decide;
mod note;
mod schedule;
mod select;
mod settings;

pub(crate) use self::decide::{Decision, Facts, decide};
pub(crate) use self::note::{Cause, Retraining};
pub(crate) use self::select::{Label, Selected, Shortage, bounded, select};
pub(crate) use self::settings::RetrainSettings;
