//! What `[notify]` mail and webhooks do at the end of a study: messages go into the outbox, and out of it for as long as
//! that may take.

use super::error::NotifyError;
use crate::ledger::RunFolder;
use crate::spec::NotifySpec;

/// Which messages were sent at the end of a study.
#[derive(Debug, Default)]
pub struct SendReport {
    /// The messages that were sent, a line each.
    pub sent: Vec<String>,
    /// Those that were not, and why.
    pub failed: Option<NotifyError>,
}

/// Puts into the outbox what [`notify_at_study_end`] sends, so that whatever comes in between cannot prevent it.
pub fn queue_at_study_end(folder: &RunFolder, notify: &NotifySpec) {
    // If that fails, it is tried again and told by `notify_at_study_end`.
    #[cfg(feature = "mail")]
    let _ = super::queue_run_events(folder, notify, super::Existing::Adapt);
    #[cfg(not(feature = "mail"))]
    let _ = (folder, notify);
}

/// Tells of every event of a run that is to be told and is not told yet, by mail and webhooks, as long as
/// `keep_going` says so and for ten seconds at most. What is not sent by then stays in the outbox.
pub fn notify_at_study_end(
    folder: &RunFolder,
    notify: &NotifySpec,
    keep_going: &mut dyn FnMut() -> bool,
) -> SendReport {
    #[cfg(feature = "mail")]
    return with_mail::send(folder, keep_going, || {
        super::queue_run_events(folder, notify, super::Existing::Adapt)
    });
    #[cfg(not(feature = "mail"))]
    return not_built(folder, notify, keep_going);
}

/// Like [`notify_at_study_end`], of an error that ended the study.
pub fn notify_of_failure(
    folder: &RunFolder,
    notify: &NotifySpec,
    error: &str,
    keep_going: &mut dyn FnMut() -> bool,
) -> SendReport {
    #[cfg(feature = "mail")]
    return with_mail::send(folder, keep_going, || super::queue_failure(folder, notify, error));
    #[cfg(not(feature = "mail"))]
    return {
        let _ = error;
        not_built(folder, notify, keep_going)
    };
}

#[cfg(not(feature = "mail"))]
fn not_built(_: &RunFolder, notify: &NotifySpec, _: &mut dyn FnMut() -> bool) -> SendReport {
    let is_asked = notify.mail.is_some() || !notify.webhook.is_empty();
    SendReport { sent: Vec::new(), failed: is_asked.then_some(NotifyError::NotBuilt) }
}

#[cfg(feature = "mail")]
mod with_mail {
    use super::{NotifyError, RunFolder, SendReport};
    use crate::notify::outbox::{Flush, Flushed, Outbox, OutboxError};

    pub(super) fn send(
        folder: &RunFolder,
        keep_going: &mut dyn FnMut() -> bool,
        queue: impl FnOnce() -> Result<(), OutboxError>,
    ) -> SendReport {
        let queued = queue();
        // What was put into the outbox before is sent even if something new cannot be.
        let flushed = Flush::at_the_end().run(&Outbox::of(folder), keep_going);
        match (queued, flushed) {
            (Err(error), Ok(flushed)) => {
                SendReport { failed: Some(error.into()), ..report(folder, &flushed) }
            }
            (Err(error), Err(_)) | (Ok(()), Err(error)) => {
                SendReport { sent: Vec::new(), failed: Some(error.into()) }
            }
            (Ok(()), Ok(flushed)) => report(folder, &flushed),
        }
    }

    fn report(folder: &RunFolder, flushed: &Flushed) -> SendReport {
        let sent = flushed.sent.iter().map(|message| format!("sent {}", message.to_line()));
        let mut lines: Vec<String> = flushed
            .waiting
            .iter()
            .chain(&flushed.parked)
            .map(|message| format!("not sent: {message}"))
            .collect();
        if !lines.is_empty() {
            let run = folder.path().display();
            lines.push(format!("`burgeon notify --flush {run}` sends what waits"));
        }
        let failed =
            (!lines.is_empty()).then(|| NotifyError::Undelivered { lines: lines.join("; ") });
        SendReport { sent: sent.collect(), failed }
    }
}
