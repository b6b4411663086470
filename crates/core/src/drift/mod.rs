//! What images a model was accepted on are like, and whether others still are: from a model's answers and its images to
//! the statistics of `burgeon_drift`.

mod pictures;
mod reference;

pub(crate) use pictures::{Prepared, picture_files, prepare};
pub(crate) use reference::{REFERENCE_FILE, ReferenceFileError, read_reference, reference_of};
