//! The messages of event files, after TensorFlow's `event.proto`, `summary.proto` and `tensor.proto`.

use prost::Message;

/// One record of a file.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

/// A scalar, a picture or a text under a tag.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<Image>,
    #[prost(message, optional, tag = "8")]
    tensor: Option<Tensor>,
    #[prost(message, optional, tag = "9")]
    metadata: Option<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    /// 3 for RGB.
    #[prost(int32, tag = "3")]
    colorspace: i32,
    #[prost(bytes = "vec", tag = "4")]
    encoded: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    /// 7 for text.
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    strings: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "2")]
    dimensions: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, tag = "1")]
    size: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(message, optional, tag = "1")]
    plugin: Option<Plugin>,
    /// 2 for tensors, of which texts are.
    #[prost(int32, tag = "4")]
    data_class: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Plugin {
    #[prost(string, tag = "1")]
    name: String,
}

impl Event {
    /// The first record of a file.
    pub(super) fn version(wall_time: f64) -> Self {
        Self { wall_time, step: 0, file_version: Some("brain.Event:2".into()), summary: None }
    }

    pub(super) fn of(wall_time: f64, step: u64, value: Vec<Value>) -> Self {
        let summary = Some(Summary { value });
        Self { wall_time, step: step as i64, file_version: None, summary }
    }

    /// Framed as a record.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let data = self.encode_to_vec();
        let length = (data.len() as u64).to_le_bytes();
        let sums = [masked_crc(&length), masked_crc(&data)];
        [&length[..], &sums[0].to_le_bytes(), &data, &sums[1].to_le_bytes()].concat()
    }
}

impl Value {
    fn named(tag: &str) -> Self {
        Self { tag: tag.to_owned(), ..Self::default() }
    }

    pub(super) fn scalar(tag: &str, value: f64) -> Self {
        Self { simple_value: Some(value as f32), ..Self::named(tag) }
    }

    pub(super) fn image(tag: &str, encoded: Vec<u8>, [width, height]: [u32; 2]) -> Self {
        let image = Image { height: height as i32, width: width as i32, colorspace: 3, encoded };
        Self { image: Some(image), ..Self::named(tag) }
    }

    pub(super) fn text(tag: &str, text: String) -> Self {
        let shape = Shape { dimensions: vec![Dimension { size: 1 }] };
        let plugin = Some(Plugin { name: "text".into() });
        Self {
            tensor: Some(Tensor { dtype: 7, shape: Some(shape), strings: vec![text.into_bytes()] }),
            metadata: Some(Metadata { plugin, data_class: 2 }),
            ..Self::named(tag)
        }
    }
}

/// CRC-32C as records have it, rotated and offset: `tensorflow/core/lib/hash/crc32c.h`.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut at = 0;
        while at < 256 {
            let (mut entry, mut bit) = (at as u32, 0);
            while bit < 8 {
                entry = if entry & 1 == 1 { entry >> 1 ^ 0x82f6_3b78 } else { entry >> 1 };
                bit += 1;
            }
            table[at] = entry;
            at += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, &byte| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)])
}

#[cfg(test)]
mod tests;
