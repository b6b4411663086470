//! The images that a program trains on: which data set, and their shape.

use super::interpreter::Interpreter;
use super::step::Shape;
use super::value::{Place, Value};

/// `[data]` of a study.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Images {
    /// The known data set.
    pub set: Option<&'static str>,
    /// A folder of pictures.
    pub folder: Option<String>,
    /// The size that pictures are brought to.
    pub size: Option<(usize, usize)>,
    /// Channels, where the program says so.
    pub channels: Option<usize>,
    /// Where that stands.
    pub place: Option<Place>,
}

impl Images {
    /// Shape of the set's images, or of the pictures as they are brought to one size.
    pub fn shape(&self) -> Option<Shape> {
        let channels = |default| self.channels.unwrap_or(default);
        let (own, side) = match self.set {
            Some("mnist" | "fashion_mnist") => (1, Some(28)),
            Some(_) => (3, Some(32)),
            None => (3, None),
        };
        let size = self.size.or(side.map(|side| (side, side)))?;
        Some(Shape::Image(channels(own), size.0, size.1))
    }
}

const SETS: [(&str, &str); 6] = [
    ("fashion_mnist", "fashion_mnist"),
    ("fashionmnist", "fashion_mnist"),
    ("mnist", "mnist"),
    ("cifar100", "cifar100"),
    ("cifar10", "cifar10"),
    ("cifar-10", "cifar10"),
];

impl Interpreter<'_> {
    /// What of the program says which images it trains on.
    pub(super) fn images(&self) -> Images {
        let mut images = Images::default();
        let text = |value: Option<&Value>| match value {
            Some(Value::Text(text)) => Some(text.to_string()),
            _ => None,
        };
        for made in &self.objects {
            let kind = made.kind();
            let args = &made.args;
            let size = |value: Option<&Value>| -> Option<(usize, usize)> {
                let sides = self.known_shape(value?)?;
                let side = |side: &i64| {
                    usize::try_from(*side).ok().filter(|side| (1..=8192).contains(side))
                };
                match &sides[..] {
                    [one] => Some((side(one)?, side(one)?)),
                    [height, width, ..] => Some((side(height)?, side(width)?)),
                    [] => None,
                }
            };
            let root = made.path.split('.').next().unwrap_or_default();
            match kind {
                "flow_from_directory" | "image_dataset_from_directory" | "ImageFolder"
                    if images.folder.is_none() && images.set.is_none() =>
                {
                    images.folder =
                        text(args.get(0, &["directory", "root"])).or(Some(String::new()));
                    images.place = Some(made.place);
                    let grey = matches!(args.named(&["color_mode"]), Some(Value::Text(mode)) if mode.starts_with("gr"));
                    images.channels = images.channels.or(grey.then_some(1));
                    if kind != "ImageFolder" {
                        let default = (256, 256);
                        images.size =
                            size(args.named(&["target_size", "image_size"])).or(Some(default));
                    }
                }
                "Resize" | "RandomResizedCrop" | "CenterCrop" | "RandomCrop"
                    if root == "torchvision" =>
                {
                    images.size = size(args.get(0, &["size"])).or(images.size);
                }
                "Grayscale" if root == "torchvision" => {
                    images.channels = args
                        .get(0, &["num_output_channels"])
                        .and_then(Value::int)
                        .and_then(|n| usize::try_from(n).ok())
                        .or(Some(1));
                }
                _ if root == "torchvision" && made.path.contains(".datasets.") => {
                    let set = SETS.iter().find(|(name, _)| *name == kind.to_lowercase());
                    if let (Some((_, set)), None) = (set, images.set) {
                        images.set = Some(set);
                        images.place = Some(made.place);
                    }
                }
                "load" | "fetch_openml" | "input_data" | "read_data_sets" => {
                    let name =
                        text(args.get(0, &["name", "data_id"])).unwrap_or_default().to_lowercase();
                    let set = SETS
                        .iter()
                        .find(|(known, _)| name.split(['/', '_']).any(|part| part == *known));
                    if let (Some((_, set)), None) = (set, images.set) {
                        images.set = Some(set);
                        images.place = Some(made.place);
                    }
                }
                _ => {}
            }
        }
        if images.set.is_none() {
            images.set = self.data.iter().find_map(|data| data.set);
        }
        images
    }
}
