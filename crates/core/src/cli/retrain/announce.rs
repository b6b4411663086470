//! Tells people of decisions about retrainings, through the outbox of the registry.

use jiff::{SignedDuration, Timestamp};

use super::Retrainer;
use crate::cli::registry::decision_text;
use crate::notify::{AnnouncementKind, Flush, OutboxError};
use crate::registry::{Action, News, Record, RegistryError};
use crate::retrain::Retraining;

/// An older decision is not told any more; entries of sent messages are kept for longer.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Retrainer<'_> {
    /// Queues the messages about the newest decision, unless that was done before, and sends what is due. What fails is
    /// tried again after the next check.
    pub(super) fn announce(&self) {
        if let Err(error) = self.try_announce() {
            self.output.warn(&format!("cannot send messages: {}", crate::sys::error_chain(&error)));
        }
    }

    fn try_announce(&self) -> Result<(), RegistryError> {
        if let Some((record, retraining)) = self.registry.retrainings()?.last()
            && Timestamp::now().duration_since(record.at) < AGE_MAX
        {
            self.registry.tell(&news(record, retraining))?;
        }
        let keep_going = &mut || self.stop.requested().is_none();
        match Flush::at_the_end().run(&self.registry.outbox(), keep_going) {
            // The server is sending them.
            Err(OutboxError::Lock(_)) => Ok(()),
            sent => Ok(sent.map(drop)?),
        }
    }
}

fn news(record: &Record, retraining: &Retraining) -> News {
    let [from, to] = [record.from, record.to]
        .map(|version| version.map_or("none".into(), |number| number.to_string()));
    let Retraining { number, cause, images, held_out, why, .. } = retraining;
    let cause = cause.words();
    let (what, sentence, action) = match record.action {
        Action::RolledBack => (
            AnnouncementKind::RolledBack,
            format!(
                "Version {from} is worse than version {to}, which is in production again: {why}."
            ),
            "Look at the newest labels; `burgeon retrain --now` trains again, without them.",
        ),
        Action::Refused => (
            AnnouncementKind::Refused,
            format!(
                "Retraining {number} ({cause}) led to no acceptable version; production remains version {from}."
            ),
            "Look at the labels: `ignore-sources` and `feedback-since` exclude wrong ones. The next retraining uses them again.",
        ),
        _ => (
            AnnouncementKind::Promoted,
            format!(
                "Version {to} is in production instead of version {from}, after retraining {number} ({cause})."
            ),
            "Nothing. `burgeon registry rollback production` returns to the version before.",
        ),
    };
    let text = decision_text(record);
    News {
        key: format!("record-{:08}", record.record),
        what,
        at: record.at,
        why: sentence,
        rows: vec![
            ("retraining", number.to_string()),
            ("reason", cause.into()),
            ("production before", from),
            ("feedback images", images.to_string()),
            ("judged on", format!("{held_out} others")),
        ],
        lists: vec![
            ("Decision", text.lines().map(|line| line.trim_start_matches("- ").into()).collect()),
            ("What to do", vec![action.into()]),
        ],
        accuracy: record.judgement.as_ref().map(|judgement| judgement.accuracy),
    }
}
