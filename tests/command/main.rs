//! The real binary, as its users and what runs it meet it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod budgets;
mod build_script;
#[cfg(unix)]
mod cache;
mod check;
#[cfg(target_os = "linux")]
mod cluster;
mod completions;
mod continued;
mod crashes;
#[cfg(feature = "detect")]
mod detect;
mod diff;
mod doctor;
mod drift;
mod environment;
mod eval;
mod export;
mod fallback;
mod file_names;
mod folds;
mod import;
mod json_output;
mod kills;
#[cfg(target_os = "linux")]
mod memory;
#[path = "../support/mnist_files.rs"]
mod mnist_files;
mod notify;
mod outcomes;
#[cfg(unix)]
mod pipeline;
mod predict;
#[path = "../support/predictions.rs"]
mod predictions;
#[cfg(feature = "serve")]
mod reference;
mod registry;
mod report;
mod residual;
#[cfg(all(unix, feature = "serve"))]
mod retrain;
mod runs;
mod schema;
#[cfg(all(unix, feature = "serve"))]
mod service;
#[cfg(all(unix, feature = "serve"))]
mod serving;
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
