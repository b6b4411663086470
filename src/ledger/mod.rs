//! The record of a study: its events, and the run folder that they lie in.
//!
//! Invariant: `events.jsonl` is only ever appended to, one synced line an event; whatever else a
//! study leaves behind can be derived from it or from a checkpoint.

mod event;
mod log;
mod parse;
mod provenance;
mod replay;
mod run_folder;

pub use crate::record::Outcome;
pub use event::{Event, Verdict};
pub use log::{Appended, Ledger, LedgerError, Recorded, Repair, read};
pub use parse::{LineError, Parsed, parse_events};
pub use provenance::{DataOrigin, Provenance, cpu_name};
pub use replay::uninterrupted;
pub use run_folder::{RunFolder, RunFolderError, TrialFolder};
