//! Random changes of training images → `[train] augment`: Keras' layers, its `ImageDataGenerator`, TensorFlow's functions, and
//! torchvision's transforms.

use super::find::Chain;
use super::interpreter::Interpreter;
use super::keras_layers::rounded;
use super::step::Shape;
use super::value::{Args, Value};

/// Keys and values of `augment`.
pub(super) type Augment = Vec<(&'static str, String)>;

/// The largest shift that is taken over, in pixels.
const SHIFT_MOST: f64 = 64.0;
const NO_COUNTERPART: &str =
    "this change of training images has no counterpart in a study; it was left out";
const NOT_TOLD: &str = "how far it changes the images cannot be told; it was left out";

/// Sets a key, whatever it was before.
pub(super) fn set(augment: &mut Augment, key: &'static str, value: impl Into<String>) {
    augment.retain(|(known, _)| *known != key);
    augment.push((key, value.into()));
}

/// Whether a layer of Keras changes training images, and leaves others as they are.
pub(super) fn is_random_layer(kind: &str) -> bool {
    const OTHERS: [&str; 5] = ["RandAugment", "AugMix", "MixUp", "CutMix", "AutoContrast"];
    OTHERS.contains(&kind)
        || kind.strip_prefix("Random").is_some_and(|what| {
            // These give the image another size.
            !matches!(what, "Crop" | "Height" | "Width")
                && what.starts_with(|c: char| c.is_uppercase())
        })
}

impl Interpreter<'_> {
    /// What a random layer of Keras does, for images of this height; the error says why it is left out.
    pub(super) fn random_layer(
        &self,
        kind: &str,
        args: &Args,
        height: usize,
    ) -> Result<Augment, &'static str> {
        let first = match args.get(0, &["mode", "factor", "height_factor"]) {
            Some(value) => {
                self.elements(value).and_then(|list| list.first()).unwrap_or(value).clone()
            }
            None => Value::None,
        };
        let factor = first.float().map(f64::abs);
        let moved = |key, value: String| {
            let fill = args.named(&["fill_mode"]);
            Ok([vec![(key, value)], self.border(fill, "reflect")].concat())
        };
        match (kind, factor) {
            ("RandomFlip", _) => {
                let mode = match &first {
                    Value::Text(mode) => mode.to_string(),
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
            ) => Err(NOT_TOLD),
            _ => Err(NO_COUNTERPART),
        }
    }

    fn border(&self, fill: Option<&Value>, default: &str) -> Augment {
        let mode = match fill {
            Some(Value::Text(mode)) => mode.to_string(),
            _ => default.to_owned(),
        };
        // Of the two that a study has, this is the nearer one of all that repeat the image.
        let is_image = matches!(mode.as_str(), "reflect" | "nearest" | "wrap");
        if is_image { vec![("border", "\"reflect\"".into())] } else { Vec::new() }
    }

    /// What the program does to its training images beside the layers of the chain, which have told theirs.
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
                    match self.transform(kind, &args, [height, width]) {
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
        let before = augment.len();
        for (name, value) in args.named.clone() {
            let is_off = matches!(value, Value::None) || value.truth() == Some(false);
            if is_off {
                continue;
            }
            let around_one = || match self.elements(&value) {
                Some([low, high]) => {
                    Some((1.0 - low.float()?).abs().max((high.float()? - 1.0).abs()))
                }
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
                    // A share of the side, or pixels.
                    far.map(|far| ("shift", pixels(if far < 1.0 { far * side } else { far })))
                }
                known if LEFT_OUT.contains(&known) => {
                    self.say(known, NO_COUNTERPART);
                    continue;
                }
                _ => continue,
            };
            match told {
                Some((key, value)) => set(augment, key, value),
                None => self.say(name, NOT_TOLD),
            }
        }
        let moves = |(key, _): &(&str, String)| matches!(*key, "rotate" | "scale" | "shift");
        if augment.len() > before && augment.iter().any(moves) {
            for (key, value) in self.border(args.named(&["fill_mode"]), "nearest") {
                set(augment, key, value);
            }
        }
    }

    /// What a transform of torchvision does; `None` for one that does the same to every image.
    fn transform(
        &self,
        kind: &str,
        args: &Args,
        [height, _]: [usize; 2],
    ) -> Option<Result<Augment, &'static str>> {
        let one = |key, value: String| Some(Ok(vec![(key, value)]));
        let largest = |value: &Value| match self.elements(value) {
            Some(list) => list
                .iter()
                .map(|value| value.float().map(f64::abs))
                .try_fold(0.0, |most: f64, far| Some(most.max(far?))),
            None => value.float().map(f64::abs),
        };
        let told = |found: Option<Augment>| Some(found.ok_or(NOT_TOLD));
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
            // Cropped from an image with a border: a shift by as many pixels.
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
                    let share = rounded((1.0 - low).abs().max((high - 1.0).abs()));
                    keys.extend((share < 1.0).then(|| ("scale", format!("{share:?}"))));
                }
                told((!keys.is_empty()).then_some(keys))
            }
            "ColorJitter" => {
                let names = ["brightness", "contrast", "saturation"];
                let mut keys = Vec::new();
                for (place, name) in names.into_iter().enumerate() {
                    let share = args.get(place, &[name]).and_then(Value::float);
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

/// What a function of `tf.image` does.
fn tensorflow(kind: &str, args: &Args) -> Result<Augment, &'static str> {
    let share = |key: &str, at: usize| {
        let far = args.get(at, &[key]).and_then(Value::float);
        far.map(f64::abs).filter(|far| *far <= 1.0).map(|far| format!("{far:?}")).ok_or(NOT_TOLD)
    };
    match kind {
        "random_flip_left_right" => Ok(vec![("flip", "true".into())]),
        "random_flip_up_down" => Ok(vec![("flip-vertical", "true".into())]),
        "random_brightness" => Ok(vec![("brightness", share("max_delta", 1)?)]),
        "random_contrast" | "random_saturation" => {
            let bound = |key: &str, at: usize| args.get(at, &[key]).and_then(Value::float);
            let (low, high) = bound("lower", 1).zip(bound("upper", 2)).ok_or(NOT_TOLD)?;
            let far = rounded((1.0 - low).abs().max((high - 1.0).abs()));
            let key = if kind.ends_with("contrast") { "contrast" } else { "saturation" };
            if far <= 1.0 { Ok(vec![(key, format!("{far:?}"))]) } else { Err(NOT_TOLD) }
        }
        _ => Err(NO_COUNTERPART),
    }
}

fn pixels(far: f64) -> String {
    format!("{}", far.round().clamp(0.0, SHIFT_MOST) as u32)
}
