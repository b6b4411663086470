//! Finds MNIST, and verifies that what was found is MNIST.
//!
//! Files are compared by their decompressed content, because archives of equal content differ in their own hash. They are
//! read by `idx` rather than by the crate `mnist`, which reads only uncompressed files, panics on invalid ones, and
//! supports no other image size.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::folder::{self, FolderContent, MNIST_LAYOUTS, Part};
use super::{DataError, Store};

/// SHA-256 of the decompressed files, by [`Part::ALL`].
pub const CONTENT_SHA256: [&str; 4] = [
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
];

/// The folders in which MNIST is searched for, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// The folder that the user gave; if it does not hold MNIST, loading fails.
    pub named: Option<PathBuf>,
    /// The folder from which a run has read it before; searched if it exists.
    pub recorded: Option<PathBuf>,
    /// A folder below the current one; searched if it exists.
    pub local: Option<PathBuf>,
    /// The cache folder, which is searched if it exists, and into which MNIST is downloaded.
    pub cache: Option<PathBuf>,
}

impl Places {
    /// The default folders: `named` or `BURGEON_DATA`, then `data/`, then `burgeon/mnist` in `XDG_CACHE_HOME` or
    /// `~/.cache`.
    ///
    /// `variable` looks up an environment variable; pass `|name| std::env::var_os(name)`.
    pub fn default_folders(
        named: Option<PathBuf>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let folder = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // The XDG specification says to ignore a relative path.
        let caches = folder("XDG_CACHE_HOME").filter(|dir| dir.is_absolute());
        let caches = caches.or_else(|| folder("HOME").map(|home| home.join(".cache")));
        Self {
            named: named.or_else(|| folder("BURGEON_DATA")),
            recorded: None,
            local: Some(PathBuf::from("data")),
            cache: caches.map(|dir| dir.join("burgeon").join("mnist")),
        }
    }
}

/// The outcome of a search.
#[derive(Debug)]
pub enum Search {
    /// Verified MNIST.
    Found {
        /// The folder that has it.
        dir: PathBuf,
        /// What it holds.
        content: FolderContent,
    },
    /// No folder has it.
    Absent {
        /// The folders searched, and what was wrong with each.
        searched: Vec<String>,
    },
}

/// Searches for MNIST and reads the first complete copy. In every folder it may also be in a subfolder, one of
/// [`MNIST_LAYOUTS`].
///
/// # Errors
/// If the folder that the user gave does not exist, has none or only some of the files, or has others under their
/// names. Other folders like that are skipped.
pub fn search(places: &Places) -> Result<Search, DataError> {
    search_within(places, &Store::memory_alone())
}

/// As [`search`]; images that do not fit into the memory of `store` are in a file that is mapped.
///
/// # Errors
/// As [`search`], or if that file cannot be written.
pub fn search_within(places: &Places, store: &Store) -> Result<Search, DataError> {
    if let Some(named) = &places.named {
        std::fs::read_dir(named).map_err(DataError::read(named))?;
        let dir = mnist_folder_in(named).ok_or_else(|| not_in_named(named))?;
        return Ok(Search::Found { content: read_within(&dir, store)?, dir });
    }
    let mut searched = Vec::new();
    for place in [&places.recorded, &places.local, &places.cache].into_iter().flatten() {
        let Some(dir) = mnist_folder_in(place) else {
            searched.push(format!("{} (no MNIST files)", place.display()));
            continue;
        };
        match read_within(&dir, store) {
            Ok(content) => return Ok(Search::Found { dir, content }),
            Err(error) => searched.push(format!("{} ({})", dir.display(), error.chain())),
        }
    }
    Ok(Search::Absent { searched })
}

/// The folder `place`, or a subfolder of it, that has some of MNIST's files.
fn mnist_folder_in(place: &Path) -> Option<PathBuf> {
    let below = MNIST_LAYOUTS.iter().map(|layout| place.join(layout));
    std::iter::once(place.to_owned()).chain(below).find(|dir| has_any(dir))
}

fn not_in_named(named: &Path) -> DataError {
    let names = Part::ALL.map(Part::name).join(", ");
    DataError::NotFound {
        searched: format!("{}, the folder that was given for it", named.display()),
        remedy: format!(
            "looked there and in its folders {} for {names}, plain or with .gz; give the folder that holds them",
            MNIST_LAYOUTS.join(", "),
        ),
    }
}

/// Reads and verifies the MNIST files of one folder.
///
/// # Errors
/// If one is missing, or its content is not the published one.
pub fn read(dir: &Path) -> Result<FolderContent, DataError> {
    read_within(dir, &Store::memory_alone())
}

/// As [`read`]; images that do not fit into the memory of `store` are in a file that is mapped.
///
/// # Errors
/// As [`read`], or if that file cannot be written.
pub fn read_within(dir: &Path, store: &Store) -> Result<FolderContent, DataError> {
    folder::read(&folder::find_published(dir)?, Some(&CONTENT_SHA256), store)
}

fn has_any(dir: &Path) -> bool {
    Part::ALL.into_iter().any(|part| folder::published_name(dir, part).is_some())
}

#[cfg(test)]
mod tests;
