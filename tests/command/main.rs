//! The real binary, as its users and what runs it meet it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod budgets;
mod build_script;
#[cfg(unix)]
mod cache;
mod cli;
mod completions;
mod continued;
mod crashes;
#[cfg(feature = "detect")]
mod detect;
mod diff;
mod doctor;
mod export;
mod import;
#[cfg(target_os = "linux")]
mod memory;
#[path = "../support/mnist_files.rs"]
mod mnist_files;
mod notify;
#[cfg(unix)]
mod pipeline;
mod predict;
#[path = "../support/predictions.rs"]
mod predictions;
mod report;
mod residual;
mod runs;
mod schema;
#[path = "../support/small_sets.rs"]
mod small_sets;
#[path = "../support/smtp.rs"]
mod smtp;
#[cfg(unix)]
mod stops;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
mod which_data;
