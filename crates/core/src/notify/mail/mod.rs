//! An announcement as a message of mail, whole as it is sent.
//!
//! Invariant: what is composed is ASCII, its lines end in CR LF and are short, no CR or LF stands alone, and
//! no line of its content begins with a dot, as all of it is base64. So nothing of it can be taken for the end of
//! the message or for a command (RUSTSEC-2026-0561).

mod compose;
mod page;
mod smtp;

pub(super) use compose::message_id;
pub use compose::{MessageError, compose};
pub(super) use smtp::{greet, send};
