//! Images that are stored for feedback, as PNG files: up to a maximum number, labelled ones for longest.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::lines::{FEEDBACK_FILE, Feedback, Input};
use crate::sys::files::{FileError, Files, Operation, RealFiles};

const FOLDER: &str = "images";
/// Largest file of labels that is read.
const FEEDBACK_BYTES_MAX: u64 = 1 << 30;
const IMAGE_BYTES_MAX: u64 = 256 << 20;

/// The stored images.
#[derive(Debug)]
pub(super) struct Kept {
    folder: PathBuf,
    most: usize,
    /// File names, oldest first.
    unlabelled: VecDeque<String>,
    labelled: VecDeque<String>,
    all: HashSet<String>,
}

impl Kept {
    /// Lists the images in a folder, and removes those beyond the maximum.
    pub(super) fn open(requests: &Path, most: usize) -> Result<Self, FileError> {
        let folder = requests.join(FOLDER);
        RealFiles.create_folders(&folder)?;
        let labels: HashSet<String> =
            feedback(requests)?.into_iter().map(|line| name(&line.request, line.index)).collect();
        let listed = RealFiles.list(&folder)?;
        // Left behind by a crash.
        for name in listed.iter().filter(|name| name.ends_with(".png.tmp")) {
            RealFiles.remove_file(&folder.join(name))?;
        }
        let mut names: Vec<(std::time::SystemTime, String)> = listed
            .into_iter()
            .filter(|name| name.ends_with(".png"))
            .filter_map(|name| {
                let at = std::fs::metadata(folder.join(&name)).ok()?.modified().ok()?;
                Some((at, name))
            })
            .collect();
        names.sort();
        let all = names.iter().map(|(_, name)| name.clone()).collect();
        let (labelled, unlabelled): (VecDeque<String>, VecDeque<String>) =
            names.into_iter().map(|(_, name)| name).partition(|name| labels.contains(name));
        let mut kept = Self { folder, most, unlabelled, labelled, all };
        kept.make_room(0)?;
        Ok(kept)
    }

    /// Stores an image, and removes the oldest one if there are too many.
    pub(super) fn add(&mut self, request: &str, input: &Input) -> Result<(), FileError> {
        self.make_room(1)?;
        let name = name(request, input.index);
        let path = self.folder.join(&name);
        let bytes = png(input).map_err(|error| {
            FileError::new(Operation::Write, &path, 0, std::io::Error::other(error))
        })?;
        RealFiles.write_atomically(&path, &bytes)?;
        self.all.insert(name.clone());
        self.unlabelled.push_back(name);
        Ok(())
    }

    /// Records that an image is labelled; false if it is not stored.
    pub(super) fn label(&mut self, request: &str, index: usize) -> bool {
        let name = name(request, index);
        if !self.all.contains(&name) {
            return false;
        }
        if let Some(place) = self.unlabelled.iter().position(|known| *known == name) {
            self.unlabelled.remove(place);
            self.labelled.push_back(name);
        }
        true
    }

    /// Whether the image of a label is stored.
    fn has(&self, line: &[u8]) -> bool {
        let label = serde_json::from_slice::<Feedback>(line);
        label.is_ok_and(|label| self.all.contains(&name(&label.request, label.index)))
    }

    fn make_room(&mut self, more: usize) -> Result<(), FileError> {
        while self.all.len() + more > self.most {
            let oldest = self.unlabelled.pop_front().or_else(|| self.labelled.pop_front());
            let Some(oldest) = oldest else { break };
            self.all.remove(&oldest);
            match RealFiles.remove_file(&self.folder.join(&oldest)) {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The true label of a stored image.
#[derive(Debug, Clone)]
pub(crate) struct LabelledImage {
    /// The PNG file, in the input shape of the model.
    pub image: PathBuf,
    /// The true class.
    pub label: String,
    /// When the label was given.
    pub at: Timestamp,
    /// Who gave it.
    pub source: String,
    /// The version that classified the image.
    pub version: String,
}

/// The last label of each stored image, ordered by file name.
///
/// # Errors
///
/// If a file cannot be read.
pub(crate) fn labelled(requests: &Path) -> Result<Vec<LabelledImage>, FileError> {
    let folder = requests.join(FOLDER);
    let kept: HashSet<String> = match RealFiles.list(&folder) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        names => names?.into_iter().collect(),
    };
    let mut labels = BTreeMap::new();
    for Feedback { request, index, label, at, source, version, .. } in feedback(requests)? {
        let name = name(&request, index);
        if kept.contains(&name) {
            let image = folder.join(&name);
            labels.insert(name, LabelledImage { image, label, at, source, version });
        }
    }
    Ok(labels.into_values().collect())
}

/// Writes the labelled images into a folder for each class below `output`, which a study can train on. Returns the number
/// of images, and of labels without a stored image. The last label of an image counts.
///
/// # Errors
///
/// If a file cannot be read or written, or a class cannot be the name of a folder.
pub(crate) fn export(requests: &Path, output: &Path) -> Result<(usize, usize), FileError> {
    let mut labels = BTreeMap::new();
    for line in feedback(requests)? {
        labels.insert(name(&line.request, line.index), line.label);
    }
    let (mut written, mut without) = (0, 0);
    for (name, label) in labels {
        let from = requests.join(FOLDER).join(&name);
        let bytes = match RealFiles.read(&from, IMAGE_BYTES_MAX) {
            Err(error) if error.is_not_found() => {
                without += 1;
                continue;
            }
            read => read?,
        };
        let folder = output.join(&label);
        let is_name = !label.is_empty() && !label.starts_with('.') && !label.contains(['/', '\0']);
        if !is_name {
            let why = std::io::Error::other("the class is not a valid folder name");
            return Err(FileError::new(Operation::CreateFolder, &folder, 0, why));
        }
        RealFiles.create_folders(&folder)?;
        RealFiles.write_atomically(&folder.join(&name), &bytes)?;
        written += 1;
    }
    Ok((written, without))
}

/// Shortens the file of labels to `most` bytes: half of them for the newest labels, the rest for older labels of stored
/// images.
pub(super) fn shorten_feedback(
    requests: &Path,
    most: usize,
    kept: Option<&Kept>,
) -> Result<(), FileError> {
    let path = requests.join(FEEDBACK_FILE);
    let bytes = RealFiles.read(&path, FEEDBACK_BYTES_MAX)?;
    let is_new = bytes.len().saturating_sub(most / 2);
    let mut at = 0;
    let mut left: Vec<&[u8]> = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if at > is_new || kept.is_some_and(|kept| kept.has(line)) {
            left.push(line);
        }
    }
    let mut room = most;
    let fits = |line: &&&[u8]| {
        let after = room.checked_sub(line.len());
        room = after.unwrap_or(room);
        after.is_some()
    };
    let count = left.iter().rev().take_while(fits).count();
    RealFiles.write_atomically(&path, &left[left.len() - count..].concat())
}

/// All labels in order. Truncated lines are skipped.
fn feedback(requests: &Path) -> Result<Vec<Feedback>, FileError> {
    match RealFiles.read(&requests.join(FEEDBACK_FILE), FEEDBACK_BYTES_MAX) {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(bytes) => {
            let lines = bytes.split(|byte| *byte == b'\n');
            Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
        }
    }
}

/// The file name of an image. Only digits and letters are used, so that it is valid whatever the log contains.
fn name(request: &str, index: usize) -> String {
    let request: String =
        request.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect();
    format!("{request}.{index}.png")
}

fn png(input: &Input) -> Result<Vec<u8>, png::EncodingError> {
    let [channels, height, width] = input.shape;
    let plane = height * width;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_color(if channels == 3 { png::ColorType::Rgb } else { png::ColorType::Grayscale });
    let interleaved: Vec<u8> = match channels {
        3 => (0..plane)
            .flat_map(|at| [0, 1, 2].map(|channel| input.pixels[channel * plane + at]))
            .collect(),
        _ => input.pixels.clone(),
    };
    encoder.write_header()?.write_image_data(&interleaved)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
