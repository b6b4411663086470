//! Converts the augmentation of a program into `[train] augment`: Keras layers, `ImageDataGenerator`, functions of
//! `tf.image`, and torchvision transforms.

use super::find::Chain;
use super::interpreter::Interpreter;
use super::keras_layers::rounded;
use super::step::Shape;
use super::value::{Args, Value};

/// Keys and values of `augment`.
pub(super) type Augment = Vec<(&'static str, String)>;

/// The largest shift of a study, in pixels.
const SHIFT_MOST: f64 = 64.0;
const NO_COUNTERPART: &str = "a study has no such augmentation; it was left out";
const UNKNOWN_STRENGTH: &str =
    "the strength of this augmentation cannot be determined; it was left out";

/// Sets a key, replacing its value if it has one.
pub(super) fn set(augment: &mut Augment, key: &'static str, value: impl Into<String>) {
    augment.retain(|(known, _)| *known != key);
    augment.push((key, value.into()));
}

/// Whether a Keras layer augments training images.
pub(super) fn is_random_layer(kind: &str) -> bool {
    const OTHERS: [&str; 5] = ["RandAugment", "AugMix", "MixUp", "CutMix", "AutoContrast"];
    OTHERS.contains(&kind)
        || kind.strip_prefix("Random").is_some_and(|what| {
            // These change the size of the image.
            !matches!(what, "Crop" | "Height" | "Width")
                && what.starts_with(|c: char| c.is_uppercase())
        })
}

impl Interpreter<'_> {
    /// The augmentation of a Keras layer, for images of this height; the error says why it is left out.
    pub(super) fn random_layer(
        &self,
        kind: &str,
        args: &Args,
        height: usize,
    ) -> Result<Augment, &'static str> {
        let first = args.get(0, &["mode", "factor", "height_factor"]);
        let factor = first.and_then(|value| self.largest(value));
        let moved = |key, value: String| {
            let fill = args.named(&["fill_mode"]);
            Ok([vec![(key, value)], self.border(fill, "reflect")].concat())
        };
        match (kind, factor) {
            ("RandomFlip", _) => {
                let mode = match first {
                    Some(Value::Text(mode)) => mode.to_string(),
                    _ => "horizontal_and_vertical".into(),
                };
                let keys = [("horizontal", "flip"), ("vertical", "flip-vertical")];
                let keys = keys.into_iter().filter(|(word, _)| mode.contains(word));
                Ok(keys.map(|(_, key)| (key, "true".to_owned())).collect())
            }
            ("RandomRotation", Some(factor)) if factor <= 0.5 => {
                moved("rotate", format!("{:?}", rounded(factor * 360.0)))
            }
            ("RandomZoom", Some(factor)) if factor < 1.0 => moved("scale", format!("{factor:?}")),
            ("RandomTranslation", Some(factor)) if factor <= 1.0 => {
                moved("shift", pixels(factor * height as f64))
            }
            ("RandomContrast", Some(factor)) if factor <= 1.0 => {
                Ok(vec![("contrast", format!("{factor:?}"))])
            }
            ("RandomBrightness", Some(factor)) if factor <= 1.0 => {
                Ok(vec![("brightness", format!("{factor:?}"))])
            }
            (
                "RandomRotation" | "RandomZoom" | "RandomTranslation" | "RandomContrast"
                | "RandomBrightness",
                _,
            ) => Err(UNKNOWN_STRENGTH),
            _ => Err(NO_COUNTERPART),
        }
    }

    fn border(&self, fill: Option<&Value>, default: &str) -> Augment {
        let mode = match fill {
            Some(Value::Text(mode)) => mode.to_string(),
            _ => default.to_owned(),
        };
        // A study has two borders, black and reflected; the latter is closest to every mode that repeats the image.
        let is_image = matches!(mode.as_str(), "reflect" | "nearest" | "wrap");
        if is_image { vec![("border", "\"reflect\"".into())] } else { Vec::new() }
    }

    /// The augmentation of the program outside the layers of the chain.
    pub(super) fn augmentation(&mut self, chain: &Chain, image: Shape, augment: &mut Augment) {
        let Shape::Image(_, height, width) = image else { return };
        let used = chain.layers();
        for object in 0..self.objects.len() {
            let made = &self.objects[object];
            let (kind, args) = (made.kind().to_owned(), made.args.clone());
            let root = made.path.split('.').next().unwrap_or_default().to_owned();
            self.at = made.place;
            let done = match (root.as_str(), kind.as_str()) {
                ("keras", "ImageDataGenerator") => {
                    self.generator(&args, [height, width], augment);
                    continue;
                }
                ("keras", kind) if is_random_layer(kind) && !used.contains(&object) => {
                    self.random_layer(kind, &args, height)
                }
                ("tensorflow", kind)
                    if kind.starts_with("random_") && made.path.contains("image") =>
                {
                    tensorflow(kind, &args)
                }
                ("torchvision", kind) if made.path.contains("transforms") => {
                    match self.transform(kind, &args, height) {
                        Some(done) => done,
                        None => continue,
                    }
                }
                _ => continue,
            };
            match done {
                Ok(keys) => keys.into_iter().for_each(|(key, value)| set(augment, key, value)),
                Err(why) => self.say(kind, why),
            }
        }
    }

    fn generator(&mut self, args: &Args, sides: [usize; 2], augment: &mut Augment) {
        const LEFT_OUT: [&str; 8] = [
            "shear_range",
            "channel_shift_range",
            "zca_whitening",
            "featurewise_center",
            "featurewise_std_normalization",
            "samplewise_center",
            "samplewise_std_normalization",
            "preprocessing_function",
        ];
        let (mut shift, mut has_border) = (0.0_f64, false);
        for (name, value) in args.named.clone() {
            let is_off = matches!(value, Value::None) || value.truth() == Some(false);
            if is_off {
                continue;
            }
            let around_one = || match self.elements(&value) {
                Some([low, high]) => Some(around(low.float()?, high.float()?)),
                _ => value.float(),
            };
            let told = match name.as_str() {
                "horizontal_flip" | "vertical_flip" if value.truth() != Some(true) => None,
                "horizontal_flip" => Some(("flip", "true".to_owned())),
                "vertical_flip" => Some(("flip-vertical", "true".into())),
                "rotation_range" => value
                    .float()
                    .filter(|degrees| (0.0..=180.0).contains(degrees))
                    .map(|degrees| ("rotate", format!("{degrees:?}"))),
                "zoom_range" => around_one()
                    .filter(|share| (0.0..1.0).contains(share))
                    .map(|share| ("scale", format!("{:?}", rounded(share)))),
                "brightness_range" => around_one()
                    .filter(|share| (0.0..=1.0).contains(share))
                    .map(|share| ("brightness", format!("{:?}", rounded(share)))),
                "width_shift_range" | "height_shift_range" => {
                    let side = sides[usize::from(name.starts_with("width"))] as f64;
                    let far = value.float().filter(|far| *far >= 0.0);
                    // A share of the side, or pixels. A study has one shift for both directions.
                    far.map(|far| {
                        shift = shift.max(if far < 1.0 { far * side } else { far });
                        ("shift", pixels(shift))
                    })
                }
                known if LEFT_OUT.contains(&known) => {
                    self.say(known, NO_COUNTERPART);
                    continue;
                }
                _ => continue,
            };
            match told {
                Some((key, value)) => {
                    has_border |= matches!(key, "rotate" | "scale" | "shift");
                    set(augment, key, value);
                }
                None => self.say(name, UNKNOWN_STRENGTH),
            }
        }
        if has_border {
            for (key, value) in self.border(args.named(&["fill_mode"]), "nearest") {
                set(augment, key, value);
            }
        }
    }

    /// The absolute value of a number, or the largest one of a list.
    fn largest(&self, value: &Value) -> Option<f64> {
        match self.elements(value) {
            Some(list) => list
                .iter()
                .map(|value| value.float().map(f64::abs))
                .try_fold(0.0, |most: f64, far| Some(most.max(far?))),
            None => value.float().map(f64::abs),
        }
    }

    /// The augmentation of a torchvision transform; `None` for one that treats all images alike.
    fn transform(
        &self,
        kind: &str,
        args: &Args,
        height: usize,
    ) -> Option<Result<Augment, &'static str>> {
        let one = |key, value: String| Some(Ok(vec![(key, value)]));
        let largest = |value: &Value| self.largest(value);
        let told = |found: Option<Augment>| Some(found.ok_or(UNKNOWN_STRENGTH));
        match kind {
            "RandomHorizontalFlip" => one("flip", "true".into()),
            "RandomVerticalFlip" => one("flip-vertical", "true".into()),
            "RandomRotation" => {
                let degrees = args.get(0, &["degrees"]).and_then(largest);
                told(
                    degrees
                        .filter(|far| *far <= 180.0)
                        .map(|far| vec![("rotate", format!("{far:?}"))]),
                )
            }
            // Cropping an image with a border shifts it by up to the width of the border.
            "RandomCrop" => {
                let padding = args.get(1, &["padding"]).filter(|value| **value != Value::None)?;
                told(largest(padding).map(|far| vec![("shift", pixels(far))]))
            }
            "RandomAffine" => {
                let degrees = args.get(0, &["degrees"]).and_then(largest);
                let shift = args.get(1, &["translate"]).and_then(largest);
                let scale = args.get(2, &["scale"]).and_then(|value| self.elements(value));
                let mut keys = Vec::new();
                keys.extend(
                    degrees
                        .filter(|far| *far > 0.0 && *far <= 180.0)
                        .map(|far| ("rotate", format!("{far:?}"))),
                );
                keys.extend(shift.map(|share| ("shift", pixels(share * height as f64))));
                if let Some([low, high]) = scale
                    && let (Some(low), Some(high)) = (low.float(), high.float())
                {
                    let share = around(low, high);
                    keys.extend((share < 1.0).then(|| ("scale", format!("{share:?}"))));
                }
                told((!keys.is_empty()).then_some(keys))
            }
            "ColorJitter" => {
                let names = ["brightness", "contrast", "saturation"];
                let mut keys = Vec::new();
                for (place, name) in names.into_iter().enumerate() {
                    let share =
                        args.get(place, &[name]).and_then(|value| match self.elements(value) {
                            Some([low, high]) => Some(around(low.float()?, high.float()?)),
                            _ => value.float(),
                        });
                    keys.extend(
                        share
                            .filter(|share| *share > 0.0 && *share <= 1.0)
                            .map(|share| (name, format!("{share:?}"))),
                    );
                }
                told((!keys.is_empty()).then_some(keys))
            }
            "AutoAugment" | "RandAugment" | "TrivialAugmentWide" | "AugMix" | "GaussianBlur" => {
                Some(Err(NO_COUNTERPART))
            }
            _ if kind.starts_with("Random")
                && !matches!(kind, "RandomApply" | "RandomChoice" | "RandomOrder") =>
            {
                Some(Err(NO_COUNTERPART))
            }
            _ => None,
        }
    }
}

/// The augmentation of a function of `tf.image`.
fn tensorflow(kind: &str, args: &Args) -> Result<Augment, &'static str> {
    let share = |key: &str, at: usize| {
        let far = args.get(at, &[key]).and_then(Value::float);
        far.map(f64::abs)
            .filter(|far| *far <= 1.0)
            .map(|far| format!("{far:?}"))
            .ok_or(UNKNOWN_STRENGTH)
    };
    match kind {
        "random_flip_left_right" => Ok(vec![("flip", "true".into())]),
        "random_flip_up_down" => Ok(vec![("flip-vertical", "true".into())]),
        "random_brightness" => Ok(vec![("brightness", share("max_delta", 1)?)]),
        "random_contrast" | "random_saturation" => {
            let bound = |key: &str, at: usize| args.get(at, &[key]).and_then(Value::float);
            let (low, high) = bound("lower", 1).zip(bound("upper", 2)).ok_or(UNKNOWN_STRENGTH)?;
            let far = around(low, high);
            let key = if kind.ends_with("contrast") { "contrast" } else { "saturation" };
            if far <= 1.0 { Ok(vec![(key, format!("{far:?}"))]) } else { Err(UNKNOWN_STRENGTH) }
        }
        _ => Err(NO_COUNTERPART),
    }
}

/// How far a range of factors reaches from 1.
fn around(low: f64, high: f64) -> f64 {
    rounded((1.0 - low).abs().max((high - 1.0).abs()))
}

fn pixels(far: f64) -> String {
    format!("{}", far.round().clamp(0.0, SHIFT_MOST) as u32)
}
