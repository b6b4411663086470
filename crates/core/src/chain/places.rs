//! The paths of the files of the service.
//!
//! ```text
//! state/burgeon.sqlite            deliveries, builds, stages
//!       builds/12/log.txt         output of its stages
//!       builds/12/checkout/       the checked-out commit
//!       builds/12/runs/NAME-0001/ the run of its study
//!       builds/12/output/         output folder of a program that is not a study
//!       builds/12/grown/          the exported program of its grown network
//!       builds/12/outbox/         messages about it
//!       repositories/digits.git/  the fetched repository
//!       models/digits/12-0a1b…/   the accepted model of a build
//!       models/digits/production  a link to the newest of them
//! ```

use std::path::{Path, PathBuf};

use super::store::BuildRow;

/// The folder of the service.
#[derive(Debug, Clone)]
pub struct Places {
    folder: PathBuf,
}

impl Places {
    /// The paths below this folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into() }
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.folder.join("burgeon.sqlite")
    }

    /// The files that count what runs.
    pub fn turns(&self) -> PathBuf {
        self.folder.join("turns")
    }

    /// The folder of all builds' folders.
    pub fn builds(&self) -> PathBuf {
        self.folder.join("builds")
    }

    /// The folder of a build.
    pub fn build(&self, build: i64) -> PathBuf {
        self.builds().join(build.to_string())
    }

    /// The log of a build.
    pub fn log(&self, build: i64) -> PathBuf {
        self.build(build).join("log.txt")
    }

    /// The checkout of a build.
    pub fn checkout(&self, build: i64) -> PathBuf {
        self.build(build).join("checkout")
    }

    /// The folder of the run of a build's study.
    pub fn runs(&self, build: i64) -> PathBuf {
        self.build(build).join("runs")
    }

    /// The output folder of a program that is not a study.
    pub fn output(&self, build: i64) -> PathBuf {
        self.build(build).join("output")
    }

    /// The exported program of a build's grown network.
    pub fn grown(&self, build: i64) -> PathBuf {
        self.build(build).join("grown")
    }

    /// The run folder of a build, once it has one.
    pub fn run(&self, build: &BuildRow) -> Option<PathBuf> {
        build.run.as_ref().map(|run| self.build(build.id).join(run))
    }

    /// The local bare repository that a repository is fetched into.
    pub fn repository(&self, name: &str) -> PathBuf {
        self.folder.join("repositories").join(format!("{name}.git"))
    }

    /// The accepted models of a repository.
    pub fn models(&self, name: &str) -> PathBuf {
        self.folder.join("models").join(name)
    }
}
