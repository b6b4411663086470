//! CSV files: images as lines of pixels, like Kaggle's Digit Recognizer, and lists of picture files with their classes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};

use super::listing::{Content, Entry, Given, Listing, Part, check_classes};
use crate::data::cache::Spool;
use crate::data::{DataError, Store};
use crate::spec::Size;

/// Names of the column with the classes.
const LABEL_COLUMNS: [&str; 6] = ["label", "labels", "class", "target", "y", "category"];

/// Names of the column with picture files.
const FILE_COLUMNS: [&str; 8] =
    ["file", "filename", "file_name", "image", "path", "id", "img", "image_id"];

/// Longest line.
const COLUMNS_MAX: usize = 1 << 24;

/// Lists the images of a CSV file, or of a folder with one for each split. A line is an image: its class, and its
/// pixels from 0 to 255, row by row; of colour images the red, the green and the blue plane.
///
/// # Errors
/// If there is none, or a line is not like the others.
pub fn list(path: &Path, size: Option<Size>, store: &Store) -> Result<Listing, DataError> {
    let pixels = Spool::new(store);
    let mut lines = Lines {
        size,
        labels: Vec::new(),
        pixels,
        line: Vec::new(),
        image_len: None,
        unlabelled: Vec::new(),
    };
    for (file, given) in files(path)? {
        lines.read(&file, given)?;
    }
    lines.listing(path)
}

/// The files that [`list`] reads.
pub fn files(path: &Path) -> Result<Vec<(PathBuf, Given)>, DataError> {
    if path.is_dir() { split_files(path) } else { Ok(vec![(path.to_owned(), Given::Train)]) }
}

/// Whether a folder has a file of training images.
pub fn has_files(dir: &Path) -> bool {
    split_files(dir).is_ok()
}

/// The file of each split in a folder, by name: `train.csv`, `sign_mnist_test.csv`.
fn split_files(dir: &Path) -> Result<Vec<(PathBuf, Given)>, DataError> {
    let mut found: BTreeMap<Given, PathBuf> = BTreeMap::new();
    for entry in std::fs::read_dir(dir).map_err(DataError::read(dir))? {
        let path = entry.map_err(DataError::read(dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let Some(stem) = name.strip_suffix(".csv").filter(|_| !name.starts_with('.')) else {
            continue;
        };
        let Some(given) = stem.split(['_', '-', ' ', '.']).find_map(Given::of_name) else {
            continue;
        };
        if let Some(other) = found.insert(given, path.clone()) {
            let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into();
            return Err(DataError::Ambiguous {
                dir: dir.into(),
                first: name(&other),
                second: name(&path),
            });
        }
    }
    if !found.contains_key(&Given::Train) {
        return Err(DataError::MissingFile { dir: dir.into(), wanted: "train.csv".into() });
    }
    Ok(found.into_iter().map(|(given, path)| (path, given)).collect())
}

/// Images, line by line.
struct Lines {
    size: Option<Size>,
    labels: Vec<(String, Given)>,
    pixels: Spool,
    /// The pixels of one line.
    line: Vec<u8>,
    /// How many pixels a line has.
    image_len: Option<usize>,
    unlabelled: Vec<(String, usize)>,
}

impl Lines {
    fn read(&mut self, path: &Path, given: Given) -> Result<(), DataError> {
        let mut reader = reader(path)?;
        let mut record = StringRecord::new();
        let mut label_column = 0;
        let mut number = 0_u64;
        while next(&mut reader, &mut record, path)? {
            number += 1;
            if number == 1 && record.iter().any(|field| field.trim().parse::<f64>().is_err()) {
                // Names of columns, unless only the class is not a number.
                let is_name =
                    |field: &str| LABEL_COLUMNS.contains(&field.trim().to_lowercase().as_str());
                let words = record.iter().skip(1).any(|field| field.trim().parse::<f64>().is_err());
                if words || record.iter().any(is_name) {
                    match record.iter().position(is_name) {
                        Some(at) => label_column = at,
                        // A test file without classes, as in competitions, cannot be used for testing.
                        None if given == Given::Test => {
                            return self.count_unlabelled(&mut reader, path);
                        }
                        None => {}
                    }
                    continue;
                }
            }
            self.line(&record, label_column, given, path, number)?;
        }
        Ok(())
    }

    /// Counts the lines of a file without classes.
    fn count_unlabelled(
        &mut self,
        reader: &mut csv::Reader<File>,
        path: &Path,
    ) -> Result<(), DataError> {
        let (mut record, mut lines) = (StringRecord::new(), 0);
        while next(reader, &mut record, path)? {
            lines += 1;
        }
        self.unlabelled.push((path.display().to_string(), lines));
        Ok(())
    }

    fn line(
        &mut self,
        record: &StringRecord,
        label_column: usize,
        given: Given,
        path: &Path,
        number: u64,
    ) -> Result<(), DataError> {
        let refuse =
            |problem: String| Err(DataError::malformed(path, format!("line {number}: {problem}")));
        let len = record.len().saturating_sub(1);
        if len == 0 || len > COLUMNS_MAX {
            return refuse(format!(
                "a line needs a class and the pixels of an image, but has {len} pixels"
            ));
        }
        if let Some(expected) = self.image_len.filter(|&expected| expected != len) {
            return refuse(format!("{len} pixels, but the lines before have {expected}"));
        }
        self.image_len = Some(len);
        self.line.clear();
        for (column, field) in record.iter().enumerate() {
            let field = field.trim();
            if column == label_column {
                self.labels.push((field.to_owned(), given));
                continue;
            }
            let value = field.parse::<f64>().ok().filter(|value| (0.0..=255.0).contains(value));
            match value {
                Some(value) => self.line.push(value.round() as u8),
                None => {
                    return refuse(format!(
                        "{field:?} in column {} is not a pixel value from 0 to 255",
                        column + 1
                    ));
                }
            }
        }
        if self.labels.last().is_none_or(|(label, _)| label.is_empty()) {
            return refuse("the class is empty".into());
        }
        self.pixels.extend(&self.line)
    }

    fn listing(self, root: &Path) -> Result<Listing, DataError> {
        let Some(len) = self.image_len else {
            return Err(DataError::malformed(
                root,
                "it has no images: each line should hold a class and the pixels of an image",
            ));
        };
        let shape = shape(len, self.size).map_err(|problem| DataError::malformed(root, problem))?;
        let names = self.labels.iter().map(|(label, _)| label.as_str());
        let classes = classes(names);
        check_classes(root, classes.len())?;
        let entries = labelled(&self.labels, &classes);
        let content = Content::Arrays(vec![Part { pixels: self.pixels.finish()?, shape }]);
        let unlabelled = self.unlabelled;
        Ok(Listing { unlabelled, ..Listing::of(root, classes, entries, content) })
    }
}

/// The shape of images of this many values: as the study says, or else a square, grey or in colour.
fn shape(len: usize, size: Option<Size>) -> Result<[usize; 3], String> {
    if let Some(Size { height, width }) = size {
        let found = [1, 3].into_iter().find(|channels| channels * height * width == len);
        if let Some(channels) = found {
            return Ok([channels, height, width]);
        }
    }
    let root = |area: usize| (1..=4096).find(|side| side * side == area);
    if let Some(side) = root(len) {
        return Ok([1, side, side]);
    }
    match len.is_multiple_of(3).then(|| root(len / 3)).flatten() {
        Some(side) => Ok([3, side, side]),
        None => Err(format!(
            "{len} pixels do not form a square: set `size = [height, width]` in [data]"
        )),
    }
}

/// The names of classes: the numbers from 0 to the largest if all are small numbers, otherwise the sorted names.
fn classes<'a>(labels: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let different: BTreeSet<&str> = labels.collect();
    let numbers: Option<Vec<usize>> =
        different.iter().map(|label| label.parse().ok().filter(|&n: &usize| n < 65_000)).collect();
    match numbers {
        Some(numbers) => {
            let largest = numbers.into_iter().max().unwrap_or(0);
            (0..=largest).map(|number| number.to_string()).collect()
        }
        None => different.into_iter().map(str::to_owned).collect(),
    }
}

fn labelled(labels: &[(String, Given)], classes: &[String]) -> Vec<Entry> {
    let numbers: BTreeMap<&str, u16> = classes.iter().map(String::as_str).zip(0_u16..).collect();
    let number = |label: &str| {
        // `07` and `7` are the same number.
        let plain = label.parse::<usize>().map(|number| number.to_string());
        numbers.get(label).or_else(|| numbers.get(plain.ok()?.as_str())).copied()
    };
    let entry = |(label, given): &(String, Given)| Entry {
        label: number(label).unwrap_or_default(),
        given: *given,
    };
    labels.iter().map(entry).collect()
}

/// Lists the picture files that a CSV file names: a file and its class on each line, and, if there is a column `split`,
/// whether it is for training, validation or testing.
///
/// # Errors
/// If the file cannot be read, or names files that do not exist or are outside the folder.
pub fn list_files(root: &Path, labels: &Path) -> Result<Listing, DataError> {
    let mut reader = reader(labels)?;
    let mut record = StringRecord::new();
    let (mut file_column, mut label_column, mut split_column) = (0, 1, None);
    let mut rows: Vec<(String, Given)> = Vec::new();
    let mut files = Vec::new();
    let mut missing = Vec::new();
    let mut number = 0_u64;
    while next(&mut reader, &mut record, labels)? {
        number += 1;
        let column = |names: &[&str]| {
            record.iter().position(|field| names.contains(&field.trim().to_lowercase().as_str()))
        };
        if number == 1 && (column(&FILE_COLUMNS).is_some() || column(&LABEL_COLUMNS).is_some()) {
            file_column = column(&FILE_COLUMNS).unwrap_or(0);
            label_column = column(&LABEL_COLUMNS).unwrap_or(usize::from(file_column == 0));
            split_column = column(&["split"]);
            continue;
        }
        let field = |at: usize| record.get(at).map(str::trim).filter(|field| !field.is_empty());
        let refuse =
            |problem: String| DataError::malformed(labels, format!("line {number}: {problem}"));
        let (Some(file), Some(label)) = (field(file_column), field(label_column)) else {
            return Err(refuse("a line needs a file and its class".into()));
        };
        let is_inside = Path::new(file)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !is_inside {
            return Err(refuse(format!("{file:?} is not inside {}", root.display())));
        }
        let given = match split_column.and_then(field) {
            None => Given::Train,
            Some(split) => Given::of_name(split).ok_or_else(|| {
                refuse(format!("{split:?} is not a split: use train, validation or test"))
            })?,
        };
        match existing(root, file) {
            Some(path) => {
                files.push(path);
                rows.push((label.to_owned(), given));
            }
            None => missing.push(file.to_owned()),
        }
    }
    if !missing.is_empty() {
        let named = missing.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
        let problem =
            format!("{} of its files are not in {}: {named}", missing.len(), root.display());
        return Err(DataError::malformed(labels, problem));
    }
    let names: BTreeSet<&String> = rows.iter().map(|(label, _)| label).collect();
    let classes: Vec<String> = names.into_iter().cloned().collect();
    check_classes(labels, classes.len())?;
    let entries = labelled(&rows, &classes);
    Ok(Listing::of(root, classes, entries, Content::Files(files)))
}

/// Folders in which pictures may be that a list names without their folder.
const PICTURE_FOLDERS: [&str; 4] = ["", "images", "train", "img"];

/// The file that a list names: in the folder or in one of [`PICTURE_FOLDERS`], with or without its extension.
fn existing(root: &Path, file: &str) -> Option<PathBuf> {
    PICTURE_FOLDERS.iter().find_map(|folder| {
        let path = root.join(folder).join(file);
        if path.is_file() {
            return Some(path);
        }
        ["jpg", "png", "jpeg", "webp", "bmp", "tif", "tiff"].into_iter().find_map(|extension| {
            let mut name = path.as_os_str().to_owned();
            name.push(".");
            name.push(extension);
            Some(PathBuf::from(name)).filter(|path| path.is_file())
        })
    })
}

fn reader(path: &Path) -> Result<csv::Reader<File>, DataError> {
    let file = File::open(path).map_err(DataError::read(path))?;
    if !file.metadata().map_err(DataError::read(path))?.is_file() {
        return Err(DataError::malformed(path, "not a regular file"));
    }
    Ok(ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file))
}

/// Reads the next line; `false` at the end.
fn next(
    reader: &mut csv::Reader<File>,
    record: &mut StringRecord,
    path: &Path,
) -> Result<bool, DataError> {
    reader.read_record(record).map_err(|error| DataError::malformed(path, error.to_string()))
}
