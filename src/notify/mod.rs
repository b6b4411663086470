//! Tells people and programs how a study ended: a command to run, mail, and webhooks.
//!
//! ```text
//! events ─ due            which events are to be told, and under which key
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
mod command;
#[cfg(feature = "mail")]
mod due;
mod error;
#[cfg(feature = "mail")]
mod identity;
#[cfg(feature = "mail")]
mod mail;
#[cfg(feature = "mail")]
mod outbox;
#[cfg(feature = "mail")]
mod picture;
#[cfg(feature = "mail")]
mod secret;
mod tell;
#[cfg(feature = "mail")]
mod webhook;

#[cfg(feature = "mail")]
pub use announcement::{Announced, Announcement};
pub use command::{notify, notify_while};
#[cfg(feature = "mail")]
pub use due::{queue_due, queue_failure};
pub use error::NotifyError;
#[cfg(feature = "mail")]
pub use mail::{MessageError, compose};
#[cfg(feature = "mail")]
pub use outbox::{
    Existing, Flush, Flushed, MessageState, Outbox, OutboxError, StoredMessage, Which,
};
pub use tell::{Told, keep_due, tell_due, tell_failure};
#[cfg(feature = "mail")]
pub use webhook::signature;
