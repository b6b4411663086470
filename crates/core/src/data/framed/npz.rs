//! Archives of NumPy arrays: images and labels by name, like MedMNIST's (`train_images`, `train_labels`, `val_images`, …)
//! and Keras' `mnist.npz` (`x_train`, `y_train`, `x_test`, …).

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use burgeon_pixels::planes;
use npyz::{DType, NpyHeader, Order, TypeChar};
use zip::ZipArchive;

use super::listing::{Content, Entry, Given, Listing, Part, check_classes};
use crate::data::cache::Spool;
use crate::data::{DataError, Store};

/// Largest array that is read.
const ARRAY_BYTES_MAX: u64 = 16 << 30;

/// Names of the arrays of each split: images, then labels.
const NAMES: [(Given, &[[&str; 2]]); 3] = [
    (
        Given::Train,
        &[
            ["train_images", "train_labels"],
            ["x_train", "y_train"],
            ["images", "labels"],
            ["x", "y"],
        ],
    ),
    (Given::Validation, &[["val_images", "val_labels"], ["x_val", "y_val"]]),
    (Given::Test, &[["test_images", "test_labels"], ["x_test", "y_test"]]),
];

/// Lists the images of an archive.
///
/// # Errors
/// If it is not such an archive, lacks arrays, or they do not fit together.
pub fn list(path: &Path, store: &Store) -> Result<Listing, DataError> {
    let file = File::open(path).map_err(DataError::read(path))?;
    let refuse = |problem: String| DataError::malformed(path, problem);
    let mut archive = ZipArchive::new(BufReader::new(file))
        .map_err(|error| refuse(format!("not an archive of NumPy arrays (.npz): {error}")))?;
    let present: Vec<String> =
        archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    let mut parts: Vec<Part> = Vec::new();
    let mut labels: Vec<(i64, Given)> = Vec::new();
    for (given, names) in NAMES {
        let has = |name: &str| present.iter().any(|file| file == &format!("{name}.npy"));
        let Some([images, classes]) = names.iter().find(|[images, _]| has(images)) else {
            continue;
        };
        if !has(classes) {
            return Err(refuse(format!("it has {images}, but no {classes}")));
        }
        let part = match stream(&mut archive, images, store)? {
            Some(part) => part.map_err(refuse)?,
            None => {
                read(&mut archive, images).and_then(|array| array.images(images)).map_err(refuse)?
            }
        };
        let count = part.count();
        let found =
            read(&mut archive, classes).and_then(|array| array.labels(classes)).map_err(refuse)?;
        if found.len() != count {
            return Err(refuse(format!(
                "{images} has {count} images, but {classes} has {} labels",
                found.len()
            )));
        }
        labels.extend(found.into_iter().map(|label| (label, given)));
        parts.push(part);
    }
    if !labels.iter().any(|(_, given)| *given == Given::Train) {
        let found = present.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
        return Err(refuse(format!(
            "it has neither train_images and train_labels nor x_train and y_train; it holds {found}"
        )));
    }
    let wrong = labels.iter().find(|(label, _)| !(0..65_000).contains(label));
    if let Some((label, _)) = wrong {
        return Err(refuse(format!("the label {label} is not a class from 0 to 64999")));
    }
    let largest = labels.iter().map(|(label, _)| *label).max().unwrap_or(0);
    let classes: Vec<String> = (0..=largest).map(|label| label.to_string()).collect();
    check_classes(path, classes.len())?;
    let entries = labels.into_iter().map(|(label, given)| Entry { label: label as u16, given });
    Ok(Listing::of(path, classes, entries.collect(), Content::Arrays(parts)))
}

/// Reads an array of bytes image by image, because it may be larger than memory; `None` if it holds other types.
fn stream(
    archive: &mut ZipArchive<BufReader<File>>,
    name: &str,
    store: &Store,
) -> Result<Option<Result<Part, String>>, DataError> {
    let Ok(entry) = archive.by_name(&format!("{name}.npy")) else {
        return Ok(None);
    };
    let mut reader = BufReader::with_capacity(1 << 16, entry);
    let Ok(header) = NpyHeader::from_reader(&mut reader) else {
        return Ok(None);
    };
    let is_bytes = matches!(header.dtype(), DType::Plain(kind)
        if matches!(kind.type_char(), TypeChar::Uint | TypeChar::Bool) && kind.size_field() == 1);
    let shape: Option<Vec<usize>> =
        header.shape().iter().map(|&side| usize::try_from(side).ok()).collect();
    let (true, true, Some(shape)) = (is_bytes, header.order() == Order::C, shape) else {
        return Ok(None);
    };
    let bytes = shape.iter().try_fold(1_u64, |all, &side| all.checked_mul(side as u64));
    let problem = match bytes {
        None => Some(format!("{name} has a shape that is too large")),
        Some(bytes) if bytes > ARRAY_BYTES_MAX => {
            Some(format!("{name} has {bytes} bytes, more than the supported {ARRAY_BYTES_MAX}"))
        }
        Some(_) => None,
    };
    if let Some(problem) = problem {
        return Ok(Some(Err(problem)));
    }
    let (is_last, [channels, height, width]) = match image_shape(&shape, name) {
        Ok(shape) => shape,
        Err(problem) => return Ok(Some(Err(problem))),
    };
    let mut image = vec![0; channels * height * width];
    let mut pixels = Spool::new(store);
    for _ in 0..shape[0] {
        match reader.read_exact(&mut image) {
            Ok(()) if is_last && channels > 1 => {
                pixels.extend(&planes(&image, channels))?;
            }
            Ok(()) => pixels.extend(&image)?,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Ok(Some(Err(format!("{name} is truncated"))));
            }
            Err(error) => return Ok(Some(Err(format!("{name}: {error}")))),
        }
    }
    Ok(Some(Ok(Part { pixels: pixels.finish()?, shape: [channels, height, width] })))
}

/// Whether the channels come last, and `[channels, height, width]`, of an array of images `[count, height, width]`,
/// `[count, height, width, channels]` or `[count, channels, height, width]`.
fn image_shape(shape: &[usize], name: &str) -> Result<(bool, [usize; 3]), String> {
    let (is_last, [channels, height, width]) = match shape[..] {
        [_, height, width] => (false, [1, height, width]),
        [_, height, width, channels @ (1 | 3)] => (true, [channels, height, width]),
        [_, channels @ (1 | 3), height, width] => (false, [channels, height, width]),
        _ => {
            return Err(format!(
                "{name} has the shape {shape:?}; images have [count, height, width], with 1 or 3 channels in the last place",
            ));
        }
    };
    if height == 0 || width == 0 || height > 8192 || width > 8192 {
        return Err(format!("{name} has images of {height}×{width} pixels"));
    }
    Ok((is_last, [channels, height, width]))
}

/// An array that was read: its shape and its numbers.
struct Array {
    shape: Vec<usize>,
    values: Values,
}

enum Values {
    Bytes(Vec<u8>),
    Whole(Vec<i64>),
    Fractions(Vec<f64>),
}

fn read(archive: &mut ZipArchive<BufReader<File>>, name: &str) -> Result<Array, String> {
    let entry =
        archive.by_name(&format!("{name}.npy")).map_err(|error| format!("{name}: {error}"))?;
    let mut reader = BufReader::new(entry);
    let header = NpyHeader::from_reader(&mut reader)
        .map_err(|error| format!("{name} is not a NumPy array: {error}"))?;
    let DType::Plain(kind) = header.dtype() else {
        return Err(format!("{name} is a structured array; plain numbers are needed"));
    };
    if header.order() != Order::C && header.shape().len() > 1 {
        return Err(format!("{name} is in Fortran order: save it with numpy.ascontiguousarray"));
    }
    let shape: Option<Vec<usize>> =
        header.shape().iter().map(|&side| usize::try_from(side).ok()).collect();
    let count = shape.as_ref().and_then(|shape| {
        shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side))
    });
    let width = kind.size_field();
    let bytes = count.and_then(|count| (count as u64).checked_mul(width));
    let (Some(shape), Some(count), Some(bytes)) = (shape, count, bytes) else {
        return Err(format!("{name} has a shape that is too large"));
    };
    if bytes > ARRAY_BYTES_MAX {
        return Err(format!("{name} has {bytes} bytes, more than the supported {ARRAY_BYTES_MAX}"));
    }
    let cut = || format!("{name} is truncated");
    // Grows as it is read, because a header may declare more than the file has.
    let mut raw = Vec::new();
    reader.take(bytes).read_to_end(&mut raw).map_err(|error| format!("{name}: {error}"))?;
    if raw.len() as u64 != bytes {
        return Err(cut());
    }
    let is_big = kind.endianness() == npyz::Endianness::Big;
    let number = |chunk: &[u8]| -> [u8; 8] {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        if is_big {
            word[..chunk.len()].reverse();
        }
        word
    };
    let values = match (kind.type_char(), width) {
        (TypeChar::Uint | TypeChar::Bool, 1) => Values::Bytes(raw),
        (TypeChar::Uint, 2 | 4 | 8) => Values::Whole(
            raw.chunks_exact(width as usize)
                .map(|chunk| i64::try_from(u64::from_le_bytes(number(chunk))).unwrap_or(i64::MAX))
                .collect(),
        ),
        (TypeChar::Int, 1 | 2 | 4 | 8) => {
            let unused = 64 - 8 * width as u32;
            let signed = |chunk| (i64::from_le_bytes(number(chunk)) << unused) >> unused;
            Values::Whole(raw.chunks_exact(width as usize).map(signed).collect())
        }
        (TypeChar::Float, 4) => Values::Fractions(
            raw.chunks_exact(4)
                .map(|chunk| {
                    let word = number(chunk);
                    f32::from_le_bytes([word[0], word[1], word[2], word[3]]).into()
                })
                .collect(),
        ),
        (TypeChar::Float, 8) => Values::Fractions(
            raw.chunks_exact(8).map(|chunk| f64::from_le_bytes(number(chunk))).collect(),
        ),
        _ => {
            return Err(format!(
                "{name} has the type {}, which is not supported: use integers or 32- or 64-bit floats",
                kind
            ));
        }
    };
    debug_assert_eq!(count as u64 * width, bytes);
    Ok(Array { shape, values })
}

impl Array {
    /// Images, `[count, height, width]`, `[count, height, width, channels]` or `[count, channels, height, width]`.
    fn images(self, name: &str) -> Result<Part, String> {
        let (is_last, [channels, height, width]) = image_shape(&self.shape, name)?;
        let mut pixels = match self.values {
            Values::Bytes(bytes) => bytes,
            Values::Whole(values) => {
                let byte = |&value: &i64| u8::try_from(value).ok();
                values
                    .iter()
                    .map(byte)
                    .collect::<Option<_>>()
                    .ok_or(format!("{name} has values outside of 0 to 255"))?
            }
            Values::Fractions(values) => {
                // Either from 0 to 1 or from 0 to 255.
                let most = values.iter().copied().fold(0.0, f64::max);
                let scale = if most <= 1.0 { 255.0 } else { 1.0 };
                if !values.iter().all(|value| (0.0..=255.0).contains(value)) {
                    return Err(format!("{name} has values outside of 0 to 255"));
                }
                values.iter().map(|value| (value * scale).round() as u8).collect()
            }
        };
        if is_last && channels == 3 {
            let len = height * width * channels;
            let planes = pixels.chunks_exact(len).flat_map(|image| planes(image, channels));
            pixels = planes.collect();
        }
        Ok(Part { pixels: pixels.into(), shape: [channels, height, width] })
    }

    /// Labels, `[count]` or `[count, 1]`.
    fn labels(self, name: &str) -> Result<Vec<i64>, String> {
        if !matches!(self.shape[..], [_] | [_, 1]) {
            return Err(format!(
                "{name} has the shape {:?}; one class for each image is needed, [count] or [count, 1]",
                self.shape
            ));
        }
        match self.values {
            Values::Bytes(bytes) => Ok(bytes.into_iter().map(i64::from).collect()),
            Values::Whole(values) => Ok(values),
            Values::Fractions(values) if values.iter().all(|value| value.fract() == 0.0) => {
                Ok(values.into_iter().map(|value| value as i64).collect())
            }
            Values::Fractions(_) => {
                Err(format!("{name} has fractions; labels must be whole numbers"))
            }
        }
    }
}
