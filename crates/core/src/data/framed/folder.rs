//! A folder of pictures, with a folder for each class, or with a file of labels.
//!
//! ```text
//! photos/cat/1.jpg  photos/dog/7.png                    every class a folder
//! photos/train/cat/1.jpg  photos/test/cat/9.jpg         the same below folders of splits
//! photos/animals/cat/1.jpg                              or one level down, where nothing else is there
//! photos/a.jpg  photos/labels.csv                       with `labels`: a file and its class on each line
//! ```

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use burgeon_pixels::is_known_format;

use super::listing::{Content, Entry, Given, Listing, check_classes};
use crate::data::DataError;

/// How deep folders below a class folder are searched.
const DEPTH_MAX: usize = 16;

/// Most files of a data set.
const FILES_MAX: usize = 20_000_000;

/// Lists the pictures of a folder and their classes.
///
/// # Errors
/// If the folder cannot be read, has fewer than two classes, or has an unknown structure.
pub fn list(root: &Path, labels: Option<&Path>) -> Result<Listing, DataError> {
    if !root.is_dir() {
        return Err(match root.exists() {
            true => DataError::malformed(
                root,
                "not a folder; `source = \"folder\"` reads a folder of pictures",
            ),
            false => DataError::NoSuchPath { path: root.into() },
        });
    }
    match labels {
        Some(labels) => super::csv::list_files(root, &root.join(labels)),
        None => list_classes(root),
    }
}

/// Whether a folder holds folders of classes with pictures.
///
/// # Errors
/// If it does, but they cannot be listed.
pub fn has_classes(root: &Path) -> Result<bool, DataError> {
    let walk = walk(root)?;
    if walk.found.is_empty() {
        return Ok(false);
    }
    walk.listing(root).map(|_| true)
}

fn list_classes(root: &Path) -> Result<Listing, DataError> {
    walk(root)?.listing(root)
}

fn walk(root: &Path) -> Result<Walk, DataError> {
    let top = top_folder(root)?;
    let mut walk = Walk::default();
    let splits = split_folders(&top)?;
    if splits.is_empty() {
        walk.split(&top, Given::Train)?;
    }
    for (folder, given) in splits {
        walk.split(&folder, given)?;
    }
    Ok(walk)
}

/// The folder that holds the classes or splits: this one, or its only subfolder if it holds nothing else.
fn top_folder(root: &Path) -> Result<PathBuf, DataError> {
    let mut top = root.to_owned();
    for _ in 0..2 {
        let Inside { folders, files } = inside(&top)?;
        let [only] = folders.as_slice() else { break };
        if files.iter().any(|file| is_picture_name(file))
            || Given::of_name(&file_name(only)).is_some()
        {
            break;
        }
        // A single class folder holds pictures; a wrapper holds folders.
        if inside(only)?.folders.is_empty() {
            break;
        }
        top = only.clone();
    }
    Ok(top)
}

/// The folders that are named as splits, if there is one for training.
fn split_folders(top: &Path) -> Result<Vec<(PathBuf, Given)>, DataError> {
    let folders = inside(top)?.folders;
    let splits: Vec<(PathBuf, Given)> = folders
        .iter()
        .filter_map(|folder| Some((folder.clone(), Given::of_name(&file_name(folder))?)))
        .collect();
    let has = |wanted: Given| splits.iter().any(|(_, given)| *given == wanted);
    if !has(Given::Train) || !(has(Given::Test) || has(Given::Validation) || folders.len() == 1) {
        return Ok(Vec::new());
    }
    for wanted in [Given::Train, Given::Validation, Given::Test] {
        let mut same = splits.iter().filter(|(_, given)| *given == wanted);
        if let (Some((first, _)), Some((second, _))) = (same.next(), same.next()) {
            return Err(DataError::Ambiguous {
                dir: top.into(),
                first: file_name(first),
                second: file_name(second),
            });
        }
    }
    Ok(splits)
}

/// Collects pictures, class by class.
#[derive(Default)]
struct Walk {
    /// Name of the class, split, file.
    found: Vec<(String, Given, PathBuf)>,
    skipped: Vec<PathBuf>,
    unlabelled: Vec<(String, usize)>,
}

impl Walk {
    /// Adds a split, each of whose folders is a class.
    fn split(&mut self, folder: &Path, given: Given) -> Result<(), DataError> {
        let Inside { folders, files } = inside(folder)?;
        let begun = self.found.len();
        for class in folders {
            let name = class_name(&class)?;
            let mut above =
                BTreeSet::from([fs::canonicalize(folder).map_err(DataError::read(folder))?]);
            let before = self.found.len();
            self.class(&class, &name, given, 0, &mut above)?;
            if self.found.len() == before && self.skipped.last() != Some(&class) {
                self.skipped.push(class);
            }
        }
        // In competitions, test pictures have no classes.
        let (pictures, others): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| given != Given::Train && is_picture_name(file));
        self.skipped.extend(others);
        match self.found.len() > begun {
            true => self.skipped.extend(pictures),
            false if pictures.is_empty() => {}
            false => self.unlabelled.push((folder.display().to_string(), pictures.len())),
        }
        Ok(())
    }

    /// Adds the pictures of a class. `above` holds the folders on the path, so that links do not lead in a circle.
    fn class(
        &mut self,
        folder: &Path,
        name: &str,
        given: Given,
        depth: usize,
        above: &mut BTreeSet<PathBuf>,
    ) -> Result<(), DataError> {
        let real = fs::canonicalize(folder).map_err(DataError::read(folder))?;
        // A link upwards would bring in the pictures of other classes.
        let holds_this = above.iter().any(|folder| folder.starts_with(&real));
        if depth > DEPTH_MAX || holds_this {
            self.skipped.push(folder.into());
            return Ok(());
        }
        above.insert(real.clone());
        let Inside { folders, files } = inside(folder)?;
        for file in files {
            if self.found.len() + self.skipped.len() >= FILES_MAX {
                let problem = format!("more than {FILES_MAX} files are not supported");
                return Err(DataError::malformed(folder, problem));
            }
            if is_picture_name(&file) || has_picture_content(&file) {
                self.found.push((name.to_owned(), given, file));
            } else {
                self.skipped.push(file);
            }
        }
        for below in folders {
            self.class(&below, name, given, depth + 1, above)?;
        }
        above.remove(&real);
        Ok(())
    }

    fn listing(self, root: &Path) -> Result<Listing, DataError> {
        let names: BTreeSet<&String> = self.found.iter().map(|(name, _, _)| name).collect();
        let classes: Vec<String> = names.into_iter().cloned().collect();
        if self.found.is_empty() {
            return Err(DataError::malformed(
                root,
                "there are no pictures in class folders; it should hold a folder for each class, with PNG, JPEG, WebP, GIF, \
                 BMP, TIFF or PNM files, or `train` and `test` folders with such folders",
            ));
        }
        check_classes(root, classes.len())?;
        let entry = |(name, given, _): &(String, Given, PathBuf)| Entry {
            label: classes.binary_search(name).unwrap_or_default() as u16,
            given: *given,
        };
        let entries = self.found.iter().map(entry).collect();
        let files = self.found.into_iter().map(|(_, _, file)| file).collect();
        Ok(Listing {
            root: root.into(),
            classes,
            entries,
            content: Content::Files(files),
            skipped: self.skipped,
            unlabelled: self.unlabelled,
        })
    }
}

/// The folders and files in a folder, sorted by name, without hidden ones.
struct Inside {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

fn inside(folder: &Path) -> Result<Inside, DataError> {
    let mut inside = Inside { folders: Vec::new(), files: Vec::new() };
    for entry in fs::read_dir(folder).map_err(DataError::read(folder))? {
        let path = entry.map_err(DataError::read(folder))?.path();
        if is_hidden(&path) {
            continue;
        }
        // Follows links; a broken link counts as a file that cannot be read.
        if path.is_dir() {
            inside.folders.push(path);
        } else {
            inside.files.push(path);
        }
    }
    inside.folders.sort();
    inside.files.sort();
    Ok(inside)
}

/// Whether a file is hidden, or one that operating systems leave in folders of pictures.
fn is_hidden(path: &Path) -> bool {
    let name = file_name(path);
    name.starts_with('.')
        || ["thumbs.db", "desktop.ini", "__macosx"].contains(&name.to_lowercase().as_str())
}

/// Whether a file has the extension of a picture, so that it must be one.
fn is_picture_name(path: &Path) -> bool {
    const EXTENSIONS: [&str; 13] = [
        "gif", "png", "jpg", "jpeg", "jpe", "webp", "bmp", "tif", "tiff", "ppm", "pgm", "pbm",
        "pnm",
    ];
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_lowercase();
    EXTENSIONS.contains(&extension.as_str())
}

/// Whether the first bytes of a file of another name are those of a picture.
fn has_picture_content(path: &Path) -> bool {
    use std::io::Read;
    // Opening a pipe would wait for its writer.
    if !path.is_file() {
        return false;
    }
    let mut start = [0; 16];
    let read = fs::File::open(path).and_then(|mut file| file.read(&mut start));
    read.is_ok_and(|len| is_known_format(&start[..len]))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The name of a folder as the name of a class.
fn class_name(folder: &Path) -> Result<String, DataError> {
    match folder.file_name().and_then(OsStr::to_str) {
        Some(name) if !name.chars().any(char::is_control) => Ok(name.to_owned()),
        _ => Err(DataError::malformed(
            folder,
            "the name of a class folder must be UTF-8 without control characters: rename it",
        )),
    }
}
