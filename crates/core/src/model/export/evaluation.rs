//! Images, and a Python program that measures an exported network on them in its own library.

use super::npz::NpzArchive;
use crate::data::Subset;
use crate::model::model_file::ModelFileError;

/// File of the images.
pub const IMAGES_FILE: &str = "validation.npz";
/// File of the program.
pub const EVALUATE_PY: &str = "evaluate.py";
/// Most bytes of images; of more, the first are taken.
const BYTES_MAX: usize = 1 << 30;

/// A library that networks are exported to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// Keras, whose images are `[height, width, channels]`.
    Keras,
    /// PyTorch, whose images are `[channels, height, width]`.
    Pytorch,
}

/// The archive of images and labels.
///
/// # Errors
///
/// If the archive cannot be written.
pub fn images_archive(images: &Subset, library: Library) -> Result<Vec<u8>, ModelFileError> {
    let [channels, height, width] = images.shape();
    let count = images.len().min(BYTES_MAX / images.image_len().max(1));
    let mut pixels = Vec::with_capacity(count * images.image_len());
    let mut labels = Vec::with_capacity(count * 2);
    for position in 0..count {
        let image = images.image(position);
        match library {
            Library::Pytorch => pixels.extend_from_slice(image),
            Library::Keras => pixels.extend((0..height * width).flat_map(|pixel| {
                (0..channels).map(move |channel| image[channel * height * width + pixel])
            })),
        }
        labels.extend(images.label(position).to_le_bytes());
    }
    let shape = match library {
        Library::Keras => [count, height, width, channels],
        Library::Pytorch => [count, channels, height, width],
    };
    let mut archive = NpzArchive::default();
    archive
        .add("images", "|u1", &shape, &pixels)
        .and_then(|()| archive.add("labels", "<u2", &[count], &labels))
        .and_then(|()| archive.finish())
        .map_err(ModelFileError::Archive)
}

/// The program, which stands beside the images and the exported program.
pub fn program(library: Library) -> String {
    let (name, imports, logits) = match library {
        Library::Keras => (
            "Keras",
            "from keras_model import load, prepare",
            "network.predict(prepare(images[part]), verbose=0)",
        ),
        Library::Pytorch => (
            "PyTorch",
            "import torch\nfrom model import load",
            "network(torch.from_numpy(images[part])).numpy()",
        ),
    };
    let guard = match library {
        Library::Keras => "",
        Library::Pytorch => "torch.set_grad_enabled(False)\n",
    };
    format!(
        "\"\"\"Measures the network beside this file in {name}, on images that it was not trained on; writes accuracy.txt.\"\"\"\n\n\
         from pathlib import Path\n\n\
         import numpy as np\n{imports}\n\n\
         with np.load(Path(__file__).with_name(\"{IMAGES_FILE}\")) as arrays:\n    \
             images, labels = arrays[\"images\"], arrays[\"labels\"]\n\
         {guard}network = load()\n\
         right = 0\n\
         for start in range(0, len(labels), 256):\n    \
             part = slice(start, start + 256)\n    \
             right += int(({logits}.argmax(1) == labels[part]).sum())\n\
         print(f\"{{right}} of {{len(labels)}} images right: {{right / len(labels):.2%}}\")\n\
         Path(\"accuracy.txt\").write_text(f\"{{right / len(labels)}}\\n\")\n"
    )
}
