//! What can go wrong with a registry.

use std::path::PathBuf;

use crate::sys::files::FileError;
use crate::sys::lock::LockError;

/// Why something cannot be done with a registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is none.
    #[error("{} is not a registry: it has no registry.toml; `burgeon registry add RUN` creates one", folder.display())]
    NoRegistry {
        /// The folder that was given.
        folder: PathBuf,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process writes.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The settings are wrong.
    #[error("{}: {why}", path.display())]
    Settings {
        /// The file of the settings.
        path: PathBuf,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// A file is not what was written.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In which way.
        why: String,
    },
    /// A version is not there.
    #[error("the registry has no version {version}; it has {}", known(versions))]
    NoVersion {
        /// The number that was given.
        version: u64,
        /// Those that are there.
        versions: Vec<u64>,
    },
    /// The text is no number of a version.
    #[error("{text:?} is not a version; give its number, such as 3")]
    NotAVersion {
        /// What was given.
        text: String,
    },
    /// The name cannot be that of an alias.
    #[error(
        "{name:?} is not a valid alias name: use up to 64 of the letters a to z, digits, - and _, and begin with a letter"
    )]
    AliasName {
        /// The name.
        name: String,
    },
    /// An alias is not there.
    #[error(
        "the registry has no alias {name}; `burgeon registry promote {name} VERSION` creates it"
    )]
    NoAlias {
        /// Its name.
        name: String,
    },
    /// An alias points to that version already.
    #[error("{name} already points to version {version}")]
    AlreadyThere {
        /// The alias.
        name: String,
        /// The version.
        version: u64,
    },
    /// An alias has never pointed to another version that is still there.
    #[error("{name} has no earlier version to go back to")]
    NothingBefore {
        /// The alias.
        name: String,
    },
    /// A version does not fit the registry.
    #[error("the model does not fit the registry: {why}")]
    Unfit {
        /// In which way.
        why: String,
    },
    /// A registry cannot be created with these held-out images.
    #[error(
        "a registry cannot be created with {images} held-out images of {bytes} bytes: use at least one, and at most 16 GiB"
    )]
    HeldOut {
        /// How many they are.
        images: usize,
        /// The bytes of all their pixels.
        bytes: usize,
    },
    /// A version has seen held-out images.
    #[error(
        "{seen} of the {images} held-out images of the registry are among the model's training and validation images, which is more than {} %: they say nothing about how it does on new images",
        most * 100.0
    )]
    Seen {
        /// How many it has seen.
        seen: usize,
        /// Held-out images.
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
