//! The binary files of CIFAR-10 and CIFAR-100 (Krizhevsky, "Learning multiple layers of features from tiny images",
//! 2009): a record for each image of one label (CIFAR-100: a coarse and a fine one) and 32×32 red, green and blue bytes.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::listing::{Content, Entry, Given, Listing, Part, check_classes};
use crate::data::cache::Spool;
use crate::data::{DataError, Store};

const SIDE: usize = 32;
const IMAGE_LEN: usize = 3 * SIDE * SIDE;

/// Folders in which the files may be: the folder itself, or those that the published archives unpack to.
const FOLDERS: [&str; 3] = ["", "cifar-10-batches-bin", "cifar-100-binary"];

/// Much more than all files of either data set have.
const FILE_BYTES_MAX: u64 = 8 << 30;

/// Lists the images of a folder with such files, or of the one inside it that the published archives unpack to.
///
/// # Errors
/// If there are none, or one is damaged.
pub fn list(root: &Path, store: &Store) -> Result<Listing, DataError> {
    let below = FOLDERS.map(|below| root.join(below));
    let found = below.iter().find_map(|dir| Layout::find(dir).map(|layout| (dir, layout)));
    let Some((dir, layout)) = found else {
        return Err(DataError::MissingFile {
            dir: root.into(),
            wanted: "data_batch_1.bin (CIFAR-10) or train.bin (CIFAR-100)".into(),
        });
    };
    layout.read(root, dir, store)
}

/// The files that [`list`] would read.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let below = FOLDERS.map(|below| root.join(below));
    let found = below.iter().find_map(|dir| Layout::find(dir).map(|layout| (dir, layout)));
    found.map_or_else(Vec::new, |(dir, Layout { train, test, names, .. })| {
        [train, test.into_iter().collect(), vec![dir.join(names)]].concat()
    })
}

/// Whether there are such files.
pub fn has_files(root: &Path) -> bool {
    FOLDERS.iter().any(|below| Layout::find(&root.join(below)).is_some())
}

/// The files of one of the two data sets.
struct Layout {
    train: Vec<PathBuf>,
    test: Option<PathBuf>,
    names: &'static str,
    /// Bytes before the pixels; the last of them is the label.
    labels: usize,
}

impl Layout {
    fn find(dir: &Path) -> Option<Self> {
        let existing = |name: &str| Some(dir.join(name)).filter(|path| path.is_file());
        let batches: Vec<PathBuf> =
            (1..=5).filter_map(|number| existing(&format!("data_batch_{number}.bin"))).collect();
        if !batches.is_empty() {
            let test = existing("test_batch.bin");
            return Some(Self { train: batches, test, names: "batches.meta.txt", labels: 1 });
        }
        let train = vec![existing("train.bin")?];
        Some(Self { train, test: existing("test.bin"), names: "fine_label_names.txt", labels: 2 })
    }

    fn read(self, root: &Path, dir: &Path, store: &Store) -> Result<Listing, DataError> {
        let mut entries = Vec::new();
        let mut pixels = Spool::new(store);
        let train = self.train.iter().map(|path| (path, Given::Train));
        for (path, given) in train.chain(self.test.iter().map(|path| (path, Given::Test))) {
            let len = bounded_len(path)?;
            let record = self.labels + IMAGE_LEN;
            if len == 0 || !len.is_multiple_of(record as u64) {
                let problem = format!(
                    "its {} bytes are not whole records of {record} ({} and 32×32 red, green and blue bytes)",
                    len,
                    if self.labels == 1 { "a label" } else { "two labels" }
                );
                return Err(DataError::malformed(path, problem));
            }
            let mut file =
                BufReader::with_capacity(1 << 20, File::open(path).map_err(DataError::read(path))?);
            let mut bytes = vec![0; record];
            for _ in 0..len / record as u64 {
                file.read_exact(&mut bytes).map_err(DataError::read(path))?;
                entries.push(Entry { label: bytes[self.labels - 1].into(), given });
                pixels.extend(&bytes[self.labels..])?;
            }
        }
        let classes = self.classes(dir, &entries)?;
        check_classes(root, classes.len())?;
        let parts = vec![Part { pixels: pixels.finish()?, shape: [3, SIDE, SIDE] }];
        Ok(Listing::of(root, classes, entries, Content::Arrays(parts)))
    }

    /// The class names from the file beside the images; numbers if there is none.
    fn classes(&self, dir: &Path, entries: &[Entry]) -> Result<Vec<String>, DataError> {
        let largest = entries.iter().map(|entry| usize::from(entry.label)).max().unwrap_or(0);
        let path = dir.join(self.names);
        if !path.is_file() {
            return Ok((0..=largest).map(|label| label.to_string()).collect());
        }
        let text = String::from_utf8_lossy(&read_bounded(&path)?).into_owned();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let names: Vec<String> = lines.map(str::to_owned).collect();
        if largest < names.len() {
            return Ok(names);
        }
        let problem =
            format!("it names {} classes, but an image has the label {largest}", names.len());
        Err(DataError::malformed(&path, problem))
    }
}

/// The length of a regular file that is no longer than any of CIFAR's.
fn bounded_len(path: &Path) -> Result<u64, DataError> {
    let found = fs::metadata(path).map_err(DataError::read(path))?;
    let len = found.len();
    // Reading a pipe would wait for its writer.
    if !found.is_file() {
        return Err(DataError::malformed(path, "not a regular file"));
    }
    if len > FILE_BYTES_MAX {
        return Err(DataError::malformed(
            path,
            format!("it has {len} bytes, more than any file of CIFAR"),
        ));
    }
    Ok(len)
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, DataError> {
    bounded_len(path)?;
    fs::read(path).map_err(DataError::read(path))
}
