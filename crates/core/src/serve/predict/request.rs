//! Parses inference requests of the Open Inference Protocol, version 2: JSON that contains the tensors or, with the
//! binary extension, is followed by them. Pure; all input is untrusted.

use axum::body::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::queue::Input;

/// The name of the only input.
pub(super) const INPUT: &str = "images";
/// Most images of a request.
pub(super) const IMAGES_MAX: usize = 1024;
/// Longest `id`.
const ID_BYTES_MAX: usize = 256;
/// The outputs of every model, in the order of responses.
pub(super) const OUTPUTS: [OutputName; 3] =
    [OutputName::Probabilities, OutputName::Logits, OutputName::Class];

/// An output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputName {
    /// `[images, classes]`: the probability of each class.
    Probabilities,
    /// `[images, classes]`: the values before the softmax.
    Logits,
    /// `[images]`: the number of the most probable class; −1 for "unsure".
    Class,
}

impl OutputName {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Probabilities => "probabilities",
            Self::Logits => "logits",
            Self::Class => "class",
        }
    }

    pub(super) fn datatype(self) -> &'static str {
        match self {
            Self::Probabilities | Self::Logits => "FP32",
            Self::Class => "INT64",
        }
    }
}

/// The encoding of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    Binary,
}

/// A valid request for images of a shape.
#[derive(Debug, Clone)]
pub(super) struct InferRequest {
    pub(super) id: Option<String>,
    pub(super) input: Input,
    pub(super) images: usize,
    pub(super) outputs: Vec<(OutputName, Encoding)>,
}

#[derive(Deserialize)]
struct RawRequest {
    id: Option<String>,
    #[serde(default)]
    parameters: Map<String, Value>,
    inputs: Vec<RawInput>,
    outputs: Option<Vec<RawOutput>>,
}

#[derive(Deserialize)]
struct RawInput {
    name: String,
    shape: Vec<u64>,
    datatype: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    data: Option<Flat>,
}

#[derive(Deserialize)]
struct RawOutput {
    name: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

/// The numbers of an array or of nested arrays, in order.
struct Flat(Vec<f64>);

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        enum Element {
            Number(f64),
            Numbers(Vec<f64>),
        }
        impl<'de> Deserialize<'de> for Element {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Numbers)
            }
        }
        impl<'de> Visitor<'de> for Numbers {
            type Value = Element;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("numbers or nested arrays of numbers")
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Element, E> {
                Ok(Element::Number(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Element, E> {
                Ok(Element::Number(value as f64))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Element, E> {
                Ok(Element::Number(value as f64))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Element, A::Error> {
                let mut numbers = Vec::new();
                while let Some(element) = list.next_element()? {
                    match element {
                        Element::Number(number) => numbers.push(number),
                        Element::Numbers(more) => numbers.extend(more),
                    }
                }
                Ok(Element::Numbers(numbers))
            }
        }
        match Element::deserialize(deserializer)? {
            Element::Numbers(numbers) => Ok(Self(numbers)),
            Element::Number(_) => Err(D::Error::custom("data: expected an array of numbers")),
        }
    }
}

impl InferRequest {
    /// Parses a body. `header_bytes` is the length of its JSON, if the header `Inference-Header-Content-Length` gives it.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong, and what would be valid.
    pub(super) fn parse(
        body: &Bytes,
        header_bytes: Option<usize>,
        shape: [usize; 3],
    ) -> Result<Self, String> {
        let json_bytes = header_bytes.unwrap_or(body.len());
        let json = body.get(..json_bytes).ok_or_else(|| {
            format!(
                "Inference-Header-Content-Length is {json_bytes}, but the body has {} bytes.",
                body.len()
            )
        })?;
        let raw: RawRequest = serde_json::from_slice(json)
            .map_err(|error| format!("The body is not a valid inference request: {error}."))?;
        let binary = body.slice(json_bytes..);
        let id = raw.id;
        if id.as_ref().is_some_and(|id| id.len() > ID_BYTES_MAX) {
            return Err(format!("The id is longer than {ID_BYTES_MAX} bytes."));
        }
        let [input]: [RawInput; 1] = raw.inputs.try_into().map_err(|inputs: Vec<RawInput>| {
            format!("There are {} inputs; this model takes one, \"{INPUT}\".", inputs.len())
        })?;
        let outputs = outputs(raw.outputs, &raw.parameters)?;
        let images = images_of(&input, shape)?;
        let values = images * shape.iter().product::<usize>();
        let input = tensor(input, binary, values)?;
        Ok(Self { id, input, images, outputs })
    }
}

fn outputs(
    raw: Option<Vec<RawOutput>>,
    parameters: &Map<String, Value>,
) -> Result<Vec<(OutputName, Encoding)>, String> {
    let encoding = |parameters: &Map<String, Value>, key: &str, default| match parameters.get(key) {
        None => Ok(default),
        Some(Value::Bool(true)) => Ok(Encoding::Binary),
        Some(Value::Bool(false)) => Ok(Encoding::Json),
        Some(other) => Err(format!("The parameter {key} is {other}, but must be true or false.")),
    };
    let default = encoding(parameters, "binary_data_output", Encoding::Json)?;
    let Some(raw) = raw.filter(|raw| !raw.is_empty()) else {
        return Ok(OUTPUTS.map(|output| (output, default)).to_vec());
    };
    let mut outputs: Vec<(OutputName, Encoding)> = Vec::new();
    for RawOutput { name, parameters } in raw {
        let known = OUTPUTS.into_iter().find(|output| output.name() == name);
        let known = known.ok_or_else(|| {
            let names = OUTPUTS.map(|output| format!("\"{}\"", output.name())).join(", ");
            format!("There is no output {:?}; the outputs are {names}.", shortened(&name))
        })?;
        if outputs.iter().any(|(output, _)| *output == known) {
            return Err(format!("The output \"{name}\" is requested twice."));
        }
        outputs.push((known, encoding(&parameters, "binary_data", default)?));
    }
    Ok(outputs)
}

/// The number of images; everything else is checked against it.
fn images_of(input: &RawInput, [channels, height, width]: [usize; 3]) -> Result<usize, String> {
    if input.name != INPUT {
        let name = shortened(&input.name);
        return Err(format!("There is no input {name:?}; this model takes \"{INPUT}\"."));
    }
    let wanted = [channels, height, width].map(|side| side as u64);
    match input.shape[..] {
        [images, c, h, w] if [c, h, w] == wanted => match usize::try_from(images) {
            Ok(images) if (1..=IMAGES_MAX).contains(&images) => Ok(images),
            _ => Err(format!("The request has {images} images, but must have 1 to {IMAGES_MAX}.")),
        },
        _ => {
            let shown: Vec<String> = input.shape.iter().take(8).map(u64::to_string).collect();
            Err(format!(
                "The shape of \"{INPUT}\" is [{}]; this model takes [images, {channels}, {height}, {width}].",
                shown.join(", ")
            ))
        }
    }
}

fn tensor(input: RawInput, binary: Bytes, values: usize) -> Result<Input, String> {
    let size = match input.parameters.get("binary_data_size") {
        None => None,
        Some(size) => {
            let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
            Some(size.ok_or("binary_data_size is not a number of bytes.")?)
        }
    };
    let bytes = match &*input.datatype {
        "FP32" => 4 * values,
        "UINT8" => values,
        other => {
            let other = shortened(other);
            return Err(format!(
                "The datatype of \"{INPUT}\" is {other:?}; use FP32 (from 0 to 1) or UINT8 (from 0 to 255)."
            ));
        }
    };
    let is_float = input.datatype == "FP32";
    let content = match (size, input.data) {
        (Some(_), Some(_)) => {
            return Err("The input has both data and binary_data_size; use one of them.".into());
        }
        (None, None) => return Err("The input has neither data nor binary_data_size.".into()),
        (Some(size), None) => {
            if size != bytes {
                return Err(format!(
                    "binary_data_size is {size}, but a tensor of this shape and datatype has {bytes} bytes."
                ));
            }
            if binary.len() != size {
                return Err(format!(
                    "binary_data_size is {size}, but {} bytes follow the JSON, whose length is in the header Inference-Header-Content-Length.",
                    binary.len()
                ));
            }
            binary
        }
        (None, Some(Flat(numbers))) => {
            if !binary.is_empty() {
                return Err(format!(
                    "{} bytes follow the JSON, but no input has a binary_data_size.",
                    binary.len()
                ));
            }
            if numbers.len() != values {
                return Err(format!(
                    "data has {} values, but a tensor of this shape has {values}.",
                    numbers.len()
                ));
            }
            from_numbers(&numbers, is_float)?
        }
    };
    if !is_float {
        return Ok(Input::Bytes(content));
    }
    let value = |value: &[u8]| f32::from_le_bytes([value[0], value[1], value[2], value[3]]);
    match content.chunks_exact(4).position(|bytes| !value(bytes).is_finite()) {
        Some(at) => Err(format!("Value {at} of \"{INPUT}\" is not a finite number.")),
        None => Ok(Input::Units(content)),
    }
}

fn from_numbers(numbers: &[f64], is_float: bool) -> Result<Bytes, String> {
    if is_float {
        return Ok(numbers.iter().flat_map(|&number| (number as f32).to_le_bytes()).collect());
    }
    let byte = |(at, &number): (usize, &f64)| {
        let is_byte = (0.0..=255.0).contains(&number) && number.fract() == 0.0;
        is_byte.then_some(number as u8).ok_or_else(|| {
            format!(
                "Value {at} of \"{INPUT}\" is {number}; UINT8 values are integers from 0 to 255."
            )
        })
    };
    numbers.iter().enumerate().map(byte).collect()
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests;
