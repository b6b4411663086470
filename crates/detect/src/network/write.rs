//! Writes the study of a program.

use super::arrange::Arranged;
use super::files::Parsed;
use super::images::Images;
use super::interpreter::Interpreter;
use super::step::Shape;
use super::training::Training;
use super::value::Place;

/// The study as TOML.
pub(super) fn toml(
    it: &mut Interpreter,
    files: &[Parsed],
    arranged: &Arranged,
    image: Shape,
    images: &Images,
    training: &Training,
) -> String {
    let Shape::Image(channels, height, width) = image else { return String::new() };
    let stem = files[0]
        .path
        .file_stem()
        .map_or(String::new(), |stem| stem.to_string_lossy().to_lowercase());
    let name: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
        .take(60)
        .collect();
    let name = name.trim_start_matches(['-', '_']).trim_end_matches('-');
    let mut text =
        format!("name = \"{}\"\n\n[data]\n", if name.is_empty() { "study" } else { name });
    it.at = images.place.unwrap_or(Place { file: 0, line: 1 });
    let own = |set: &str| if set.starts_with("cifar") { (3, 32, 32) } else { (1, 28, 28) };
    let set =
        images.set.filter(|set| own(set) == (channels, height, width) || set.starts_with("cifar"));
    match set {
        Some("mnist") => text += "source = \"mnist\"\n",
        Some("fashion_mnist") => {
            text += "source = \"idx\"\npath = \"data/fashion-mnist\"\n";
            it.say(
                "Fashion-MNIST",
                "its IDX files are expected in `data/fashion-mnist`; [data] path says where",
            );
        }
        Some(set) => {
            let folder =
                if set == "cifar100" { "cifar-100-binary" } else { "cifar-10-batches-bin" };
            text += &format!("source = \"cifar\"\npath = \"data/{folder}\"\n");
            if own(set) != (channels, height, width) {
                text += &format!("size = [{height}, {width}]\nchannels = {channels}\n");
            }
            it.say(
                set,
                format!("its binary files are expected in `data/{folder}`; [data] path says where"),
            );
        }
        None => {
            let folder =
                images.folder.clone().filter(|folder| !folder.is_empty() && folder.len() < 400);
            let quoted = toml::Value::String(folder.clone().unwrap_or_else(|| "images".into()));
            text += &format!("source = \"folder\"\npath = {quoted}\nsize = [{height}, {width}]\n");
            if channels == 1 || channels == 3 {
                text += &format!("channels = {channels}\n");
            }
            if folder.is_none() {
                it.say("the data", "which images it trains on is not told in a way that can be followed; [data] path is to be set");
            }
        }
    }
    if let Some(share) = training.validation {
        text += &format!("validation = {share:?}\n");
    }
    text += "\n[model]\nlayers = [\n";
    for step in &arranged.steps {
        text += &format!("  {},\n", step.toml());
    }
    text += "]\n";
    let augment = &arranged.augment;
    if !training.keys.is_empty() || !augment.is_empty() {
        text += "\n[train]\n";
    }
    for (key, value) in &training.keys {
        text += &format!("{key} = {value}\n");
    }
    if !augment.is_empty() {
        let parts: Vec<String> =
            augment.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        text += &format!("augment = {{ {} }}\n", parts.join(", "));
    }
    text
}
