//! The record of a study: its events, and the run folder that they lie in.
//!
//! Invariant: `events.jsonl` is only ever appended to, one synced line an event; whatever else a
//! study leaves behind can be derived from it or from a checkpoint.

mod event;
pub(crate) mod log;
mod parse;
pub(crate) mod provenance;
pub(crate) mod replay;
pub(crate) mod run_folder;

pub(crate) use crate::record::Outcome;
pub use event::{Event, Verdict};
pub(crate) use log::{Appended, Ledger, Repair, read};
pub use log::{LedgerError, Recorded};
pub use parse::{LineError, Parsed, parse_events};
pub(crate) use provenance::cpu_name;
pub use provenance::{DataOrigin, Provenance};
pub(crate) use run_folder::RunFolder;
pub use run_folder::RunFolderError;
