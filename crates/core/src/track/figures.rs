//! What tools are shown of an epoch, under the same names everywhere.

use crate::ledger::Event;

/// The figures of one epoch.
pub(super) struct EpochFigures {
    pub(super) trial: u32,
    pub(super) epoch: u32,
    /// Names and values.
    pub(super) figures: Vec<(&'static str, f64)>,
}

impl EpochFigures {
    /// `None` for other events.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let &Event::EpochFinished {
            trial,
            epoch,
            train_loss,
            train_accuracy,
            validation_loss,
            validation_accuracy,
            learning_rate,
            seconds,
            images,
            ..
        } = event
        else {
            return None;
        };
        let mut figures = vec![
            ("loss/train", train_loss),
            ("loss/validation", validation_loss),
            ("accuracy/train", train_accuracy),
            ("accuracy/validation", validation_accuracy),
            ("learning_rate", learning_rate),
        ];
        if images > 0 && seconds > 0.0 {
            figures.push(("images_per_second", images as f64 / seconds));
        }
        Some(Self { trial, epoch, figures })
    }
}
