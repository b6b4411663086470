//! Arguments of the commands that compare runs and images.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use crate::cli::candidates::{run_names, runs, studies};

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub struct RunsArguments {
    /// List these runs only: names of run folders, or of studies
    #[arg(add = run_names())]
    pub names: Vec<PathBuf>,
    /// What to sort by
    #[arg(long, value_enum, default_value_t = SortName::Age, env = "BURGEON_SORT")]
    pub sort: SortName,
}

/// `--sort` by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SortName {
    /// The newest first
    Age,
    /// By the name of the folder
    Name,
    /// Running ones first, then those that can be resumed, then the finished ones
    State,
    /// The highest validation accuracy first
    Best,
    /// The most trials first
    Trials,
    /// The largest first
    Size,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// A run folder, such as runs/lenet-5-0001, or the name of one in the folder of runs
    #[arg(add = runs())]
    pub first: PathBuf,
    /// Another run
    #[arg(add = runs())]
    pub second: PathBuf,
    /// Run both best models on the validation images, for an exact test of whether their difference is more
    /// than chance
    #[arg(long, env = "BURGEON_EVALUATE", value_parser = BoolishValueParser::new())]
    pub evaluate: bool,
}

/// Arguments of `drift`.
#[derive(Debug, Args)]
pub struct DriftArguments {
    /// A run folder, such as runs/lenet-5-0001, whose validation images are the reference; or the folder of a model that
    /// carries a reference
    #[arg(add = runs())]
    pub run: PathBuf,
    /// A folder of pictures, with or without a folder for each class, or a data set: IDX files, .npz or .csv
    // Not called `data`, which is the global --data: clap would give that the same value.
    #[arg(value_name = "DATA", add = studies())]
    pub images: PathBuf,
    /// Images per window; by default 500, or half of all images if there are fewer than 1,000
    #[arg(long, value_name = "IMAGES", env = "BURGEON_WINDOW")]
    pub window: Option<usize>,
    /// Average number of windows between false alarms; 10,000 by default
    #[arg(long, value_name = "WINDOWS", env = "BURGEON_RUN_TIME")]
    pub run_time: Option<f64>,
}
