//! A deep-learning trainer that grows its own network until it passes its accuracy gate.
//!
//! A *study* describes a model, its data, how to train it, and the accuracy it must reach. burgeon
//! trains the model and measures it on held-out validation images. While it misses the required
//! accuracy, the *gate*, burgeon diagnoses why, *edits* the architecture or the training settings,
//! *grafts* the learned weights onto the new network, and trains that as the next *trial*, until one passes
//! the gate or the budget is used up.
//!
//! ```text
//! models/lenet.toml
//!   └─ spec      parse, validate, infer every shape, count parameters and FLOPs
//!        └─ model     spec → network on a device, out of kernel's fused operations
//!        └─ data      source → verified splits → batches
//!             └─ train     batches + network → trained weights, curves  ⇄ checkpoint
//!                  └─ gate      validation accuracy → does it pass?
//!                       └─ tune      diagnosis → policy → edits → the next trial's spec
//!   study runs this loop; ledger records every step of it; cli prints it
//!        └─ report    events → a page, a text, and test cases for people to read
//! ```
//!
//! | to | read |
//! | --- | --- |
//! | describe a study, or build one in code | [`spec`] |
//! | run a study from a program | [`study::Launch`] |
//! | continue from a trained model | `from` in [`spec::ModelSpec`] |
//! | stop a study and resume it | [`study::Launch::stop`], [`study::Launch::resume`] |
//! | use your own images, policy or trainer | [`data::Dataset`], [`tune::Policy`], [`study::Trainer`] |
//! | train one network without growth | [`train::train()`] |
//! | use a trained network | [`model::Classifier`] |
//! | read the events of a run | [`ledger`] |
//! | write reports of a run | [`report`] |
//! | import the common names at once | [`prelude`] |
//!
//! ```no_run
//! use burgeon::spec::StudyDocument;
//! use burgeon::study::Launch;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = std::fs::read_to_string("models/lenet.toml")?;
//! let study = StudyDocument::new("models/lenet.toml", text);
//! let ended = Launch::new(study).run()?;
//! println!("{ended:?}");
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `serve`, `serve` (webhooks and pages) and `chain` (builds of pushed repositories) stand above all
//! this: they run the command as a process, or programs in containers, with the crate `burgeon_container`.
//!
//! What comes beside the loop: `cluster` hands trials to jobs on other machines, `track` shows a run in TensorBoard and
//! MLflow, `registry` keeps accepted models and decides which one is served, `serve::predict` serves it, `drift`
//! compares new images with those that it was accepted on, and `retrain` decides when it is trained again.
//!
//! Invariant: the test split is read once, after a model is accepted; it never reaches [`gate`] or
//! [`tune`].
//!
//! Invariant: every random number is a function of (seed, trial, purpose, epoch, step); no
//! generator state is kept, so training can start from any step.
//!
//! Invariant: the events are the only record of a study; all its state can be rebuilt from them and from
//! the trials' own files.
//!
//! Invariant: [`spec`], [`gate`] and [`tune`] do no I/O and read no clock.
//!
//! All of it is re-exported from the crate `burgeon_core`: the module `spec`, say, is in `crates/core/src/spec`. What is done
//! to single pictures is in `burgeon_pixels`, random numbers are those of `burgeon_counter`.

#![deny(unsafe_code)]

/// The deep-learning framework that networks run on, in the version that this crate uses.
#[cfg(feature = "train")]
#[doc(no_inline)]
pub use burgeon_core::burn;
#[cfg(feature = "train")]
#[doc(inline)]
pub use burgeon_core::{data, model, prelude, study, train};
#[doc(inline)]
pub use burgeon_core::{gate, ledger, record, report, spec, tune};

#[doc(hidden)]
pub use burgeon_core::unstable;
