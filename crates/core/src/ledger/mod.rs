//! The record of a study: its events, and the run folder that holds them.
//!
//! A program reads a run with [`parse_events`]:
//!
//! ```no_run
//! use burgeon::ledger::{Event, parse_events};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let log = std::fs::read("runs/lenet-5-0001/events.jsonl")?;
//! for recorded in parse_events(&log)?.records {
//!     if let Event::EpochFinished { trial, epoch, validation_accuracy, .. } = recorded.event {
//!         println!("{} trial {trial}, epoch {epoch}: {validation_accuracy:.4}", recorded.at);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Invariant: `events.jsonl` is append-only, with one synced line per event; everything else that a
//! study writes can be derived from it or from a checkpoint.

#[cfg(feature = "cli")]
mod ends;
mod event;
pub(crate) mod figures;
pub(crate) mod log;
mod parse;
pub(crate) mod provenance;
mod recorded;
pub(crate) mod replay;
pub(crate) mod run_folder;

pub(crate) use crate::record::Outcome;
#[cfg(feature = "cli")]
pub(crate) use ends::{Enough, LogEnds, read_ends};
pub use event::{Event, Verdict};
pub use log::LedgerError;
pub(crate) use log::{Appended, Ledger, Repair, read};
pub(crate) use parse::LINE_LIMIT_BYTES;
#[doc(hidden)]
pub use parse::LineError;
pub use parse::{Parsed, parse_events};
pub(crate) use provenance::cpu_name;
pub use provenance::{DataOrigin, Provenance};
pub use recorded::Recorded;
pub(crate) use run_folder::RunFolder;
pub use run_folder::RunFolderError;
