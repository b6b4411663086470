//! Errors of a registry.

use std::path::PathBuf;

use crate::sys::files::FileError;
use crate::sys::lock::LockError;

/// Why an operation on a registry failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The folder is not a registry.
    #[error("{} is not a registry: it has no registry.toml; `burgeon registry add RUN` creates one", folder.display())]
    NoRegistry {
        /// The folder that was given.
        folder: PathBuf,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A message cannot be queued or sent.
    #[cfg(feature = "serve")]
    #[error(transparent)]
    Outbox(#[from] crate::notify::OutboxError),
    /// Another process is writing.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The settings are not valid.
    #[error("{}: {why}", path.display())]
    Settings {
        /// The file of the settings.
        path: PathBuf,
        /// What is wrong, and what would be valid.
        why: String,
    },
    /// A file was changed or damaged.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A version does not exist.
    #[error("the registry has no version {version}; it has {}", known(versions))]
    NoVersion {
        /// The number that was given.
        version: u64,
        /// The existing versions.
        versions: Vec<u64>,
    },
    /// The text is not the number of a version.
    #[error("{text:?} is not a version; give its number, such as 3")]
    NotAVersion {
        /// What was given.
        text: String,
    },
    /// The name is not a valid alias name.
    #[error(
        "{name:?} is not a valid alias name: use up to 64 of the letters a to z, digits, - and _, and begin with a letter"
    )]
    AliasName {
        /// The name.
        name: String,
    },
    /// An alias does not exist.
    #[error(
        "the registry has no alias {name}; `burgeon registry promote {name} VERSION` creates it"
    )]
    NoAlias {
        /// Its name.
        name: String,
    },
    /// An alias already points to the version.
    #[error("{name} already points to version {version}")]
    AlreadyThere {
        /// The alias.
        name: String,
        /// The version.
        version: u64,
    },
    /// An alias has no previous version that still exists.
    #[error("{name} has no previous version to roll back to")]
    NothingBefore {
        /// The alias.
        name: String,
    },
    /// A version does not fit the registry.
    #[error("the model does not fit the registry: {why}")]
    Unfit {
        /// What is wrong.
        why: String,
    },
    /// A registry cannot be created with these held-out images.
    #[error(
        "a registry cannot be created with {images} held-out images of {bytes} bytes: use at least one, and at most 16 GiB"
    )]
    HeldOut {
        /// How many there are.
        images: usize,
        /// The bytes of all their pixels.
        bytes: usize,
    },
    /// A version was trained on held-out images.
    #[error(
        "{seen} of the {images} held-out images of the registry are among the model's training and validation images, which is more than {} %, so they cannot show how it performs on new images",
        most * 100.0
    )]
    Seen {
        /// How many it was trained on.
        seen: usize,
        /// The number of held-out images.
        images: usize,
        /// The share that is allowed.
        most: f64,
    },
}

fn known(versions: &[u64]) -> String {
    match versions {
        [] => "none".into(),
        [only] => only.to_string(),
        [first, .., last] => format!("{} from {first} to {last}", versions.len()),
    }
}
