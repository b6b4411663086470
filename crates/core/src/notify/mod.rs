//! Tells people and programs how a study ended: a command to run, mail, and webhooks.
//!
//! ```text
//! events ─ run_events     which events of a run are announced, and under which key
//!        └ announcement   what is said of one: verdict, sentence, figures, curve, report
//!            ├─ mail      as a message with pictures and the report
//!            └─ webhook   as the body of an HTTP request
//!                 └─ outbox   on disk before anything is tried; sent, tried again later, or parked
//! ```
//!
//! Invariant: a message is on disk, whole, before its first try, and every try sends the same bytes under the
//! same identifier; it is given up only when a server says that it never takes it.
//!
//! Invariant: passwords and secrets are read from their file or variable for one try, and go nowhere else;
//! what a server answers is rid of them before it is kept or shown.

#[cfg(feature = "mail")]
mod announcement;
#[cfg(feature = "mail")]
mod attempt;
#[cfg(feature = "mail")]
mod back_off;
#[cfg(feature = "serve")]
mod build_verdict;
mod command;
mod error;
#[cfg(feature = "mail")]
mod identity;
#[cfg(feature = "mail")]
mod mail;
#[cfg(feature = "mail")]
mod mail_server;
#[cfg(feature = "mail")]
mod outbox;
#[cfg(feature = "mail")]
mod picture;
#[cfg(feature = "mail")]
mod run_events;
#[cfg(feature = "mail")]
mod secret;
mod study_end;
#[cfg(feature = "mail")]
mod webhook;

#[cfg(feature = "mail")]
pub use announcement::{Announcement, AnnouncementKind};
#[cfg(feature = "serve")]
pub use build_verdict::BuildVerdict;
pub use command::{notify, notify_while};
pub use error::NotifyError;
#[cfg(feature = "mail")]
pub use mail::{MessageError, compose};
#[cfg(feature = "mail")]
pub use mail_server::try_mail_server;
#[cfg(feature = "mail")]
pub use outbox::{
    Existing, Flush, Flushed, MessageState, Messages, Outbox, OutboxError, StoredMessage,
};
#[cfg(feature = "mail")]
pub use run_events::{queue_failure, queue_run_events};
#[cfg(feature = "serve")]
pub(crate) use secret::Secret;
pub use study_end::{SendReport, notify_at_study_end, notify_of_failure, queue_at_study_end};
#[cfg(feature = "mail")]
pub use webhook::signature;
