//! The interface to networks, so that the server can be tested without one.

use std::path::Path;
use std::sync::Arc;

use burgeon_drift::Reference;

/// The pixels of images, one after another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pixels<'a> {
    /// 32-bit floats from 0 to 1, little-endian, unaligned: `[images, channels, height, width]`.
    Units(&'a [u8]),
    /// Bytes from 0 to 255, of the same shape.
    Bytes(&'a [u8]),
}

/// A picture as an input of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// `[channels, height, width]` bytes.
    pub pixels: Vec<u8>,
    /// Height and width of the file, if all images that the model was trained on had the same; otherwise they say
    /// nothing.
    pub size: Option<[usize; 2]>,
}

/// A loaded model.
pub(crate) trait Model: Send + Sync {
    /// `[channels, height, width]` of an image.
    fn shape(&self) -> [usize; 3];

    /// The names of the classes, by label.
    fn classes(&self) -> &[String];

    /// The logits of all images, `[images, classes]`.
    ///
    /// # Errors
    ///
    /// A sentence about the failure of the device.
    fn logits(&self, batch: &[Pixels]) -> Result<Vec<f32>, String>;

    /// Decodes a picture file; one with more than `pixels_max` pixels is refused.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong with the picture.
    fn prepare(&self, file: &[u8], pixels_max: u64) -> Result<Prepared, String>;
}

/// Loads models.
pub(crate) trait Engine: Send + Sync {
    /// The file of a folder that it loads models from.
    fn model_file(&self) -> &'static str;

    /// Loads the model of a folder.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong with it.
    fn load(&self, folder: &Path) -> Result<Arc<dyn Model>, String>;

    /// The drift reference of the model in a folder; `None` if it has none.
    ///
    /// # Errors
    ///
    /// A sentence about why it cannot be read.
    fn reference(&self, folder: &Path) -> Result<Option<Arc<Reference>>, String>;

    /// Calls `work` on this thread, which is set up to compute with a single core, beside other such threads.
    ///
    /// # Errors
    ///
    /// A sentence about why the thread cannot be set up; `work` was then not called.
    fn with_compute_thread(&self, work: &mut dyn FnMut()) -> Result<(), String>;
}
