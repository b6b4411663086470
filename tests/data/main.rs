//! The data module from outside: files, servers and pictures of all kinds of soundness.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod fetch;
mod idx;
mod image_file;
mod ink;
mod load;
mod support;
