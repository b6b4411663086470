//! Downloads a published data set into a folder: mirrors are tried in order, and files are bounded, verified, and moved
//! into place only when they are complete.
//!
//! Invariant: a file appears under its name only after its content was verified and written to disk. Whatever else a
//! server sends, however much, leaves no trace.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::folder::{self, Part};
use super::http::{Client, Response};
use super::idx::{Checks, read_images, read_labels};
use super::{DataError, Progress};
use crate::sys::files::{
    FileError, Files, LEFTOVER_WRITE, PathKind, WritableFile, WriteMode, real_files,
};
use crate::sys::shared_folder::InFolder;

/// Where MNIST is published, in the order tried.
pub const MNIST_MIRRORS: [&str; 2] = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
];

/// Limits on the time and the amount of data of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// Time to resolve the server's address, and again to connect to it, including encryption.
    pub connect_time_max: Duration,
    /// Time without a byte, once connected.
    pub silence_time_max: Duration,
    /// Time for the body of one file.
    pub body_time_max: Duration,
    /// Length of one file as it is sent.
    pub download_bytes_max: u64,
    /// Length of one file after decompression.
    pub inflated_bytes_max: u64,
}

impl Default for FetchLimits {
    /// Generous for slow connections, strict for absent ones; the sizes fit MNIST with some margin.
    fn default() -> Self {
        Self {
            connect_time_max: Duration::from_secs(3),
            silence_time_max: Duration::from_secs(8),
            body_time_max: Duration::from_secs(15 * 60),
            download_bytes_max: 64 << 20,
            inflated_bytes_max: 64 << 20,
        }
    }
}

/// Downloads the four files of a data set into `dir`, except those that are already there and correct.
///
/// `mirrors` are base addresses; `sha256` are the hashes of the inflated contents, by [`Part::ALL`]. Returns the
/// addresses that delivered.
///
/// # Errors
/// If a file came from no mirror, or `dir` cannot be written.
pub fn fetch(
    dir: &Path,
    mirrors: &[String],
    sha256: &[&str; 4],
    limits: FetchLimits,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<String>, DataError> {
    fetch_while(dir, mirrors, sha256, limits, progress, &|| true)
}

/// As [`fetch`], but calls `keep_going` for every block that arrives.
///
/// # Errors
/// As [`fetch`], and [`DataError::Stopped`] once `keep_going` returns `false`.
pub fn fetch_while(
    dir: &Path,
    mirrors: &[String],
    sha256: &[&str; 4],
    limits: FetchLimits,
    progress: &mut dyn FnMut(Progress<'_>),
    keep_going: &dyn Fn() -> bool,
) -> Result<Vec<String>, DataError> {
    fetch_onto(&*real_files()?, dir, mirrors, sha256, limits, progress, keep_going)
}

/// As [`fetch_while`], onto any disk.
///
/// # Errors
/// As [`fetch_while`].
pub fn fetch_onto(
    files: &dyn Files,
    dir: &Path,
    mirrors: &[String],
    sha256: &[&str; 4],
    limits: FetchLimits,
    progress: &mut dyn FnMut(Progress<'_>),
    keep_going: &dyn Fn() -> bool,
) -> Result<Vec<String>, DataError> {
    files.create_folders(dir)?;
    let inside = InFolder::enter(dir, || remove_partials(files, dir));
    let client = Client::new(limits);
    let mut fetcher =
        Fetcher { files, dir, mirrors: mirrors.to_vec(), limits, client, progress, keep_going };
    let mut addresses = Vec::new();
    for (part, sha256) in Part::ALL.into_iter().zip(sha256) {
        let present = folder::published_name(dir, part);
        if present.is_none_or(|path| verify(&path, part, sha256, limits).is_err()) {
            addresses.push(fetcher.try_mirrors(part, sha256)?);
        }
    }
    // Those of another process that was killed in the meantime.
    inside.leave(|| remove_partials(files, dir));
    Ok(addresses)
}

/// Removes what killed downloads left in a folder in which no other download is in progress.
fn remove_partials(files: &dyn Files, dir: &Path) {
    // Failures are ignored: unfinished files are never taken for the data set.
    for name in files.list(dir).unwrap_or_default() {
        let path = dir.join(&name);
        if is_partial(&name) && matches!(files.kind(&path), Ok(Some(PathKind::File))) {
            let _ = files.remove_file(&path);
        }
    }
}

struct Fetcher<'a> {
    files: &'a dyn Files,
    dir: &'a Path,
    /// The mirror that delivered last comes first.
    mirrors: Vec<String>,
    limits: FetchLimits,
    client: Client,
    progress: &'a mut dyn FnMut(Progress<'_>),
    keep_going: &'a dyn Fn() -> bool,
}

/// Why a mirror did not deliver: its own fault, or this machine's.
enum Failure {
    Mirror(String),
    Local(DataError),
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::Local(error.into())
    }
}

impl Fetcher<'_> {
    fn try_mirrors(&mut self, part: Part, sha256: &str) -> Result<String, DataError> {
        let mut attempts = Vec::new();
        for index in 0..self.mirrors.len() {
            if !(self.keep_going)() {
                return Err(DataError::Stopped);
            }
            let url = format!("{}/{}.gz", self.mirrors[index].trim_end_matches('/'), part.name());
            match self.try_mirror(&url, part, sha256) {
                Ok(()) => {
                    self.mirrors[..=index].rotate_right(1);
                    return Ok(url);
                }
                Err(Failure::Local(error)) => return Err(error),
                Err(Failure::Mirror(reason)) => {
                    (self.progress)(Progress::MirrorFailed { url: &url, reason: &reason });
                    attempts.push(format!("{url}: {reason}"));
                }
            }
        }
        if attempts.is_empty() {
            attempts.push("no mirror is set".to_owned());
        }
        Err(DataError::Download { file: part.name().to_owned(), attempts: attempts.join("; ") })
    }

    fn try_mirror(&mut self, url: &str, part: Part, sha256: &str) -> Result<(), Failure> {
        let Response { length: total, body } = self.client.get(url).map_err(Failure::Mirror)?;
        self.check_length(total.unwrap_or(0))?;
        let partial = Partial::beside(self.files, self.dir, part);
        let mut file = self.files.open(&partial.path, WriteMode::Replace)?;
        self.receive(url, part, total, body, &mut *file)?;
        file.sync()?;
        drop(file);
        verify(&partial.path, part, sha256, self.limits)
            .map_err(|error| Failure::Mirror(verification_problem(&error)))?;
        self.move_into_place(&partial, part).map_err(Failure::Local)
    }

    fn receive(
        &mut self,
        url: &str,
        part: Part,
        total: Option<u64>,
        mut body: impl Read,
        file: &mut dyn WritableFile,
    ) -> Result<(), Failure> {
        let mut chunk = vec![0; 1 << 16];
        let mut received = 0;
        loop {
            (self.progress)(Progress::Downloading { file: part.name(), url, received, total });
            let len = body.read(&mut chunk).map_err(|error| {
                Failure::Mirror(format!(
                    "the transfer was interrupted after {received} bytes ({error})"
                ))
            })?;
            if len == 0 {
                return Ok(());
            }
            if !(self.keep_going)() {
                return Err(Failure::Local(DataError::Stopped));
            }
            received += len as u64;
            self.check_length(received)?;
            file.write(&chunk[..len])?;
        }
    }

    fn check_length(&self, bytes: u64) -> Result<(), Failure> {
        let limit = self.limits.download_bytes_max;
        if bytes > limit {
            return Err(Failure::Mirror(format!("sent more than the limit of {limit} bytes")));
        }
        Ok(())
    }

    /// The new file replaces those of other spellings, which were missing or wrong.
    fn move_into_place(&self, file: &Partial, part: Part) -> Result<(), DataError> {
        let mut magic = [0; 2];
        let gzipped =
            File::open(&file.path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
                && magic == [0x1f, 0x8b];
        let target = self.dir.join(part.name()).with_extension(if gzipped { "gz" } else { "" });
        for stale in
            folder::spellings_in(self.dir, part).filter(|path| *path != target && path.is_file())
        {
            self.files.remove_file(&stale)?;
        }
        self.files.rename(&file.path, &target)?;
        Ok(self.files.sync_folder(self.dir)?)
    }
}

/// A file that is being downloaded, which is removed again unless it was moved into place.
struct Partial<'a> {
    files: &'a dyn Files,
    path: PathBuf,
}

/// Whether this is the name of a file that is being downloaded.
fn is_partial(name: &str) -> bool {
    let numbers = Part::ALL.iter().find_map(|part| {
        name.strip_prefix(LEFTOVER_WRITE)?.strip_prefix(part.name())?.strip_prefix('-')
    });
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = numbers.and_then(|numbers| numbers.split_once('-'));
    numbers.is_some_and(|(process, number)| is_number(process) && is_number(number))
}

impl<'a> Partial<'a> {
    /// Under a name that no other download into this folder has, of this process or another.
    fn beside(files: &'a dyn Files, dir: &Path, part: Part) -> Self {
        static DOWNLOADS: AtomicU64 = AtomicU64::new(0);
        let number = DOWNLOADS.fetch_add(1, Ordering::Relaxed);
        let name = format!("{LEFTOVER_WRITE}{}-{}-{number}", part.name(), std::process::id());
        Self { files, path: dir.join(name) }
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        // Once moved into place, it no longer has this path. A failure is ignored: it is never taken
        // for the data set.
        let _ = self.files.remove_file(&self.path);
    }
}

fn verify(path: &Path, part: Part, sha256: &str, limits: FetchLimits) -> Result<(), DataError> {
    let checks = Checks { sha256: Some(sha256), bytes_max: limits.inflated_bytes_max };
    match part {
        Part::TrainImages | Part::TestImages => read_images(path, checks).map(drop),
        Part::TrainLabels | Part::TestLabels => read_labels(path, checks).map(drop),
    }
}

/// What a verification found, without the name of the temporary file, which means nothing to users.
fn verification_problem(error: &DataError) -> String {
    match error {
        DataError::Malformed { problem, .. } => {
            format!("the response is not the expected file: it {problem}")
        }
        DataError::WrongContent { expected, actual, .. } => {
            format!("the response has sha256 {actual}, not the published {expected}")
        }
        other => other.chain(),
    }
}
