//! What the Python programs of exported models have in common.

use crate::model::preparation::Preparation;

/// The lines that define a model's classes and preparation. They need `json`.
pub(super) fn python_constants(preparation: &Preparation) -> Result<String, serde_json::Error> {
    Ok(format!(
        "# By label.\nCLASSES = {classes}\n\
         # From pixels between 0 and 1 to what the network was trained on, by channel.\n\
         MEAN = {mean:?}\nSTD = {std:?}\n\
         # How a picture becomes pixels: {words}\n\
         PREPARATION = json.loads({json})\n",
        classes = serde_json::to_string(&preparation.classes)?,
        mean = preparation.mean,
        std = preparation.std,
        words = preparation.describe(),
        json = serde_json::to_string(&serde_json::to_string(preparation)?)?,
    ))
}
