//! The shape of the images that a program's layers are for: as it says it, as its data has it, or as its layers fit.

use super::arrange::{Arranged, Arranger};
use super::find::{self, Chain, Refused};
use super::images::Images;
use super::interpreter::Interpreter;
use super::step::Shape;
use super::value::{Args, Op, Value};

/// Sides of images that are tried where a program does not say them, the usual ones first.
const USUAL_SIDES: [usize; 9] = [28, 32, 64, 224, 227, 96, 128, 48, 299];
/// The largest side that is tried.
const SIDE_MOST: usize = 320;

/// The chain as a study's layers, and the shape of the images.
pub(super) fn arranged(
    it: &mut Interpreter,
    chain: &Chain,
    images: &Images,
) -> Result<(Arranged, Shape), Refused> {
    let place = it.objects[chain.model].place;
    let is_first = |value: Option<&Value>| matches!(value, Some(Value::Text(text)) if matches!(&**text, "channels_first" | "th"));
    let by_layer = chain.ops().any(|op| match op {
        Op::Layer(layer) => {
            is_first(it.objects[*layer].args.named(&["data_format", "dim_ordering"]))
        }
        _ => false,
    });
    let first = !chain.is_keras || it.channels_first || by_layer;
    let is_old = chain.is_keras && is_old(it);
    let refuse = |why: String| Err(find::refused(place, "the input".to_owned(), why));
    let attempt =
        |image: Shape, flat: bool| Arranger::new(it, image, flat, first, is_old).arrange(chain);
    let side = |side: i64| usize::try_from(side).ok().filter(|side| (1..=8192).contains(side));
    let sides: Option<Vec<Option<usize>>> =
        chain.input.as_ref().map(|sides| sides.iter().map(|at| side(*at)).collect());
    match sides.as_deref() {
        Some([Some(one), Some(two), Some(three)]) => {
            let image = if first {
                Shape::Image(*one, *two, *three)
            } else {
                Shape::Image(*three, *one, *two)
            };
            attempt(image, false).map(|arranged| (arranged, image))
        }
        Some([Some(height), Some(width)]) => {
            let image = Shape::Image(1, *height, *width);
            let mut arranger = Arranger::new(it, image, false, first, is_old);
            arranger.is_of_rows = chain.is_keras;
            arranger.arrange(chain).map(|arranged| (arranged, image))
        }
        Some([Some(row)]) => match row_as_image(*row, images) {
            Some(image) => attempt(image, true).map(|arranged| (arranged, image)),
            None => refuse(format!("it is a row of {row} numbers, which are no square image")),
        },
        Some(_) if images.shape().is_none() => {
            refuse("its shape cannot be told without running the program".into())
        }
        _ => {
            let flat = starts_with_dense(it, chain) && chain.is_keras;
            let mut failure = None;
            if let Some(image) = images.shape() {
                match attempt(image, flat) {
                    Ok(arranged) => return Ok((arranged, image)),
                    Err(why) => failure = Some(why),
                }
            }
            if chain.is_keras {
                return failure.map_or_else(|| refuse(why_untold(it, chain)), Err);
            }
            tried(it, chain, images, failure)
        }
    }
}

/// Why the shape of a network's images is not known: no part of the program says it, or in a way that cannot be followed.
fn why_untold(it: &Interpreter, chain: &Chain) -> String {
    let first = chain.layers().first().copied();
    let given =
        first.and_then(|layer| it.objects[layer].args.named(&["input_shape", "batch_input_shape"]));
    match given {
        Some(value) => format!("its `input_shape` cannot be told: {}", it.why(value)),
        None => "no layer, `build` or data says the shape of the images".into(),
    }
}

/// The images for which PyTorch's layers fit each other.
fn tried(
    it: &mut Interpreter,
    chain: &Chain,
    images: &Images,
    failure: Option<Refused>,
) -> Result<(Arranged, Shape), Refused> {
    let channels = match first_number(it, chain) {
        Some((true, channels)) => channels,
        Some((false, features)) => {
            let Some(image) = row_as_image(features, images) else {
                let why = format!("it is a row of {features} numbers, which are no square image");
                return Err(find::refused(
                    it.objects[chain.model].place,
                    "the input".to_owned(),
                    why,
                ));
            };
            let arranged = Arranger::new(it, image, true, true, false).arrange(chain)?;
            return Ok((arranged, image));
        }
        None => 3,
    };
    let dummy = it.data.iter().rev().filter_map(|data| match data.shape.as_deref() {
        Some([_, Some(c), Some(h), Some(w)])
            if usize::try_from(*c).ok() == Some(channels) && h == w =>
        {
            usize::try_from(*h).ok()
        }
        _ => None,
    });
    let dummy: Vec<usize> = dummy.filter(|side| (1..=8192).contains(side)).take(4).collect();
    let all = dummy.iter().copied().chain(USUAL_SIDES).chain(1..=SIDE_MOST);
    let mut first_failure = failure.clone();
    for side in all {
        let image = Shape::Image(channels, side, side);
        match Arranger::new(it, image, false, true, false).arrange(chain) {
            Ok(arranged) => {
                it.at = it.objects[chain.model].place;
                let why = if failure.is_some() {
                    format!(
                        "the images of its data do not fit its layers; {side}×{side} pixels do, and were taken"
                    )
                } else if dummy.contains(&side) {
                    String::new()
                } else {
                    format!(
                        "the program does not say the size of its images; {side}×{side} pixels fit its layers, and were taken"
                    )
                };
                if !why.is_empty() {
                    it.say("the input", why);
                }
                return Ok((arranged, image));
            }
            Err(why) => {
                first_failure.get_or_insert(why);
            }
        }
        if !it.step(chain.links.len()) {
            break;
        }
    }
    let place = it.objects[chain.model].place;
    Err(first_failure.unwrap_or_else(|| {
        find::refused(place, "the input".to_owned(), "its shape cannot be told")
    }))
}

/// What the first layer with weights expects: channels of a convolution (true), or features.
fn first_number(it: &Interpreter, chain: &Chain) -> Option<(bool, usize)> {
    chain.ops().find_map(|op| {
        let Op::Layer(layer) = op else { return None };
        let made = &it.objects[*layer];
        let (is_conv, names) = match made.kind() {
            "Conv2d" => (true, ["in_channels"]),
            "Linear" => (false, ["in_features"]),
            _ => return None,
        };
        let number = made.args.get(0, &names)?.int()?;
        usize::try_from(number)
            .ok()
            .filter(|number| (1..=1 << 24).contains(number))
            .map(|number| (is_conv, number))
    })
}

fn starts_with_dense(it: &Interpreter, chain: &Chain) -> bool {
    matches!(chain.links.first().map(|link| &link.op), Some(Op::Layer(layer)) if it.objects[*layer].kind() == "Dense")
}

/// A row of numbers as the image that it was: one of the data set, or a square in grey or colour.
fn row_as_image(row: usize, images: &Images) -> Option<Shape> {
    if let Some(shape) = images.shape().filter(|shape| shape.len() == row) {
        return Some(shape);
    }
    [1, 3].into_iter().find_map(|channels| {
        let side = (row / channels).isqrt();
        (side * side * channels == row && side > 1).then_some(Shape::Image(channels, side, side))
    })
}

/// Whether a program has the words of Keras 1.
fn is_old(it: &Interpreter) -> bool {
    const WORDS: [&str; 7] = [
        "nb_epoch",
        "border_mode",
        "nb_filter",
        "subsample",
        "dim_ordering",
        "output_dim",
        "nb_row",
    ];
    let old = |args: &Args| args.named.iter().any(|(name, _)| WORDS.contains(&name.as_str()));
    it.events.iter().any(|event| old(&event.args))
        || it.objects.iter().any(|made| made.path.starts_with("keras") && old(&made.args))
}
