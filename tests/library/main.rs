//! The library as programs use it, in this process or, where a test is about processes, in one of its own.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod continued;
mod cross_validation;
mod data;
#[cfg(feature = "detect")]
mod detect;
mod generated_studies;
mod growth_loop;
mod imported;
#[path = "../support/mnist_files.rs"]
mod mnist_files;
mod notify;
mod one_process;
mod onnx_metadata;
mod own_data;
mod processes;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/small_sets.rs"]
mod small_sets;
#[path = "../support/smtp.rs"]
mod smtp;
mod study_file;
mod supervise;
