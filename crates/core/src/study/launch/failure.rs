//! Telling that a study ended with an error.

use super::error::{Kind, LaunchError};
use super::listener::LaunchListener;
use crate::ledger::RunFolder;
use crate::notify::{SendReport, notify_of_failure};
use crate::spec::NotifySpec;
use crate::sys::announce::supervision;
use crate::sys::error_chain;
use crate::sys::signals::StopFlag;

/// Tells of an error by mail and webhooks, if it is one that whoever is not at the terminal should know of.
pub(super) fn tell(
    error: &LaunchError,
    folder: &RunFolder,
    notify: &NotifySpec,
    stop: &StopFlag,
) -> Option<SendReport> {
    // A supervisor starts the study again, and tells when it gives up.
    if supervision().is_some() || is_for_the_caller_alone(error.kind()) {
        return None;
    }
    let mut keep_going = || stop.requested().is_none();
    Some(notify_of_failure(folder, notify, &error_chain(error), &mut keep_going))
}

/// Whether the call was wrong, so that nothing was done in the run folder.
fn is_for_the_caller_alone(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::BadStudy | Kind::Locked | Kind::Changed | Kind::NotARun | Kind::CannotExtend
    )
}

/// Passes on what came of telling.
pub(super) fn pass_on(told: &SendReport, listener: &mut dyn LaunchListener) {
    for message in &told.sent {
        listener.notified(message);
    }
    if let Some(error) = &told.failed {
        listener.notification_failed(error);
    }
}
