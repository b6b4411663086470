//! Programs in containers of Docker or Podman, through the engine's socket: started once, watched, limited,
//! stopped, and found again after this process died.
//!
//! ```text
//! socket    which engine
//!  └─ engine    connects to it; lists and removes containers
//!      └─ run       starts the container of a job, or finds it
//!          ├─ settings  the job as the engine is told it: what the program may do, and how much of it
//!          └─ watch     its output, its limits and its end
//! ```
//!
//! Invariant: a container is found by its label or its identifier, never by its name; one without the label
//! is not touched.
//!
//! Invariant: for a label, at most one container is ever started. It stays until it is removed, so that its
//! end can be read whenever this process comes back.

mod ended;
mod engine;
mod error;
mod hang;
mod job;
mod run;
mod settings;
mod socket;
mod watch;

pub use ended::Ended;
pub use engine::Engine;
pub use error::ContainerError;
pub use hang::{Hang, HangLimits, SignsOfLife};
pub use job::{Gpus, Job, Limits, Mount};
pub use settings::LABEL;
