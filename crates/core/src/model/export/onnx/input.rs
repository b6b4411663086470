//! The forms in which an exported graph takes images.

use crate::spec::InputShape;

/// The form in which an exported graph takes images. They have the size of the network's input in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnnxInput {
    /// Floats `[batch, channels, height, width]` from 0 for black to 1 for white.
    UnitFloats,
    /// Bytes `[batch, height, width, channels]`, as image libraries decode files.
    DecodedBytes,
}

impl OnnxInput {
    /// Length of every axis of one image.
    pub fn shape(self, input: InputShape) -> [usize; 3] {
        let InputShape { channels, height, width, .. } = input;
        match self {
            Self::UnitFloats => [channels, height, width],
            Self::DecodedBytes => [height, width, channels],
        }
    }

    /// The input in words.
    pub fn words(self, input: InputShape) -> String {
        let [first, second, third] = self.shape(input);
        let what = match self {
            Self::UnitFloats => "float32 [batch, channels, height, width] from 0 to 1",
            Self::DecodedBytes => "uint8 [batch, height, width, channels]",
        };
        let colours = if input.channels == 1 { "grey" } else { "red, green, blue" };
        format!("images: {what}, {colours}: [batch, {first}, {second}, {third}]")
    }
}
