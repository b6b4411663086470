//! Arguments of `burgeon registry`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::SplitName;
use crate::cli::candidates::{folders, runs, studies};

/// Arguments of `registry`.
#[derive(Debug, Args)]
pub struct RegistryArguments {
    /// The folder of the registry
    #[arg(long, global = true, default_value = "registry", env = "BURGEON_REGISTRY", value_name = "DIR", add = folders())]
    pub registry: PathBuf,
    /// What to do
    #[command(subcommand)]
    pub command: RegistryCommand,
}

/// The commands of `burgeon registry`.
#[derive(Debug, Subcommand)]
pub enum RegistryCommand {
    /// Evaluate a run's best model on the held-out images, and add it as a version; creates the registry if needed
    Add(AddArguments),
    /// List versions and aliases
    List,
    /// Test a version against the gate and the version in use and, if it passes, move an alias to it
    ///
    /// Exit codes: 0 if the alias was moved, 5 if the version was refused. registry.toml has the criteria.
    Promote {
        /// The alias, such as production or candidate
        name: String,
        /// The number of the version
        version: String,
        /// Move the alias even if the version fails the test; this is recorded
        #[arg(long)]
        force: bool,
    },
    /// Point an alias back to its previous version, at once and without a test
    Rollback {
        /// The alias
        name: String,
    },
    /// Check every file, record and alias
    Verify,
    /// Remove old versions by age and size, as registry.toml says; never one that an alias needs
    Clear,
    /// Export the kept images that feedback has labelled, one folder for each class, to train on
    #[cfg(feature = "serve")]
    Feedback {
        /// The folder to write to
        output: PathBuf,
        /// The folder of the log of requests; the registry's by default
        #[arg(long, value_name = "DIR", add = folders())]
        requests: Option<PathBuf>,
    },
}

/// Arguments of `registry add`.
#[derive(Debug, Args)]
pub struct AddArguments {
    /// A run folder, such as runs/lenet-5-0001
    #[arg(add = runs())]
    pub run: PathBuf,
    /// For a new registry: a study file or a folder of images that versions will be judged on; the run's own data by
    /// default
    #[arg(long, value_name = "DATA", add = studies())]
    pub held_out: Option<PathBuf>,
    /// For a new registry: which split of these images
    #[arg(long, value_enum, default_value_t = SplitName::Test)]
    pub split: SplitName,
    /// Do not check whether the model was trained on held-out images, for a run whose data is gone; it is then promoted
    /// only by force
    #[arg(long)]
    pub unchecked: bool,
}

/// Arguments of `retrain`.
#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub struct RetrainArguments {
    /// The folder of the registry
    #[arg(long, default_value = "registry", env = "BURGEON_REGISTRY", value_name = "DIR", add = folders())]
    pub registry: PathBuf,
    /// Retrain now, even if no retraining is due
    #[arg(long)]
    pub now: bool,
    /// Keep running, and check at this interval
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60", env = "BURGEON_WATCH",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub watch: Option<u64>,
    /// The folder of the log of requests; the registry's by default
    #[arg(long, value_name = "DIR", env = "BURGEON_REQUESTS", add = folders())]
    pub requests: Option<PathBuf>,
}
