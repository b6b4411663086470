//! The real binary, as its users and what runs it meet it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod budgets;
#[cfg(unix)]
mod cache;
mod cli;
mod continued;
mod crashes;
#[cfg(target_os = "linux")]
mod memory;
#[path = "../support/mnist_files.rs"]
mod mnist_files;
mod notify;
mod predict;
#[path = "../support/predictions.rs"]
mod predictions;
mod report;
mod residual;
mod schema;
#[path = "../support/small_sets.rs"]
mod small_sets;
#[path = "../support/smtp.rs"]
mod smtp;
#[cfg(unix)]
mod stops;
#[path = "../support/mod.rs"]
mod support;
mod which_data;
