//! What computes, as this module sees it: so that the protocol is tested without a network.

use std::path::Path;
use std::sync::Arc;

use burgeon_drift::Reference;

/// Images as they came in, one after another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pixels<'a> {
    /// Floats of 32 bits from 0 to 1, little-endian, at any address: `[images, channels, height, width]`.
    Units(&'a [u8]),
    /// Bytes from 0 to 255, of the same shape.
    Bytes(&'a [u8]),
}

/// A picture as the network takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// `[channels, height, width]` bytes.
    pub pixels: Vec<u8>,
    /// Height and width of the file, for a model whose images all came with the same; otherwise they tell nothing.
    pub size: Option<[usize; 2]>,
}

/// A model that is loaded.
pub(crate) trait Model: Send + Sync {
    /// `[channels, height, width]` of an image.
    fn shape(&self) -> [usize; 3];

    /// The names of the classes, by label.
    fn classes(&self) -> &[String];

    /// The logits of all images, `[images, classes]`.
    ///
    /// # Errors
    ///
    /// A sentence, if the device fails.
    fn logits(&self, batch: &[Pixels]) -> Result<Vec<f32>, String>;

    /// A picture file as an image; one of more than `pixels_max` pixels is not decoded.
    ///
    /// # Errors
    ///
    /// A sentence about the picture.
    fn prepare(&self, file: &[u8], pixels_max: u64) -> Result<Prepared, String>;
}

/// What loads models.
pub(crate) trait Engine: Send + Sync {
    /// The file of a folder that it loads models from.
    fn model_file(&self) -> &'static str;

    /// Loads the model of a folder.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong with it.
    fn load(&self, folder: &Path) -> Result<Arc<dyn Model>, String>;

    /// What the images of the model in a folder were like; `None` if the folder does not tell.
    ///
    /// # Errors
    ///
    /// A sentence, if it cannot be read.
    fn reference(&self, folder: &Path) -> Result<Option<Arc<Reference>>, String>;

    /// Calls `work` on the calling thread, set up to compute alone, beside other such threads.
    ///
    /// # Errors
    ///
    /// A sentence, if the thread cannot be set up; `work` was not called then.
    fn attend(&self, work: &mut dyn FnMut()) -> Result<(), String>;
}
