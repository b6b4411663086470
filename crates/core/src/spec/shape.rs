//! Shapes of images and features, and the layer table that shape inference returns.

use std::fmt;

/// Shape of the images that a network receives, and the number of their classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct InputShape {
    /// 1 for grey images, 3 for colour.
    pub channels: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// Number of classes, at least 2.
    pub classes: usize,
}

impl InputShape {
    /// Shape of MNIST and of the built-in digits: grey, 28×28 pixels, ten classes.
    pub const MNIST: Self = Self { channels: 1, height: 28, width: 28, classes: 10 };
}

/// Shape of what passes between two layers for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureShape {
    /// `[channels, height, width]`.
    Image {
        /// Feature maps.
        channels: usize,
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
    /// `[features]`.
    Flat {
        /// Number of features.
        features: usize,
    },
}

impl FeatureShape {
    /// Number of values.
    pub fn len(self) -> usize {
        match self {
            Self::Image { channels, height, width } => {
                channels.saturating_mul(height).saturating_mul(width)
            }
            Self::Flat { features } => features,
        }
    }

    /// Whether there are no values; never so in a validated study.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Height and width of an image in pixels; 1 and 1 for flat features.
    pub(crate) fn sides(self) -> [usize; 2] {
        match self {
            Self::Image { height, width, .. } => [height, width],
            Self::Flat { .. } => [1, 1],
        }
    }

    /// Channels of an image, or the number of flat features: what batch-norm has statistics of.
    pub fn channels(self) -> usize {
        match self {
            Self::Image { channels, .. } => channels,
            Self::Flat { features } => features,
        }
    }
}

impl fmt::Display for FeatureShape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Image { channels, height, width } => {
                f.pad(&format!("{channels}×{height}×{width}"))
            }
            Self::Flat { features } => f.pad(&features.to_string()),
        }
    }
}

/// One row of the layer table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerPlan {
    /// The layer in words, such as `conv 6 of 5×5, same, relu`.
    pub name: String,
    /// Shape of its input.
    pub input: FeatureShape,
    /// Shape of its output.
    pub output: FeatureShape,
    /// Number of trained values.
    pub parameters: usize,
    /// Floating-point operations for one image, forward; a multiply-add counts as two.
    pub flops: usize,
    /// The layers within a residual block, whose figures are included in the block's; empty for other
    /// layers.
    pub inner: Vec<LayerPlan>,
    /// The projection of a residual block's shortcut, where its output has another shape than its
    /// input; its figures are included in the block's.
    pub projection: Option<Box<LayerPlan>>,
}

impl LayerPlan {
    /// Number of values that this layer, and the layers within it, return for one image.
    fn activations(&self) -> usize {
        let within = self.inner.iter().chain(self.projection.as_deref()).map(Self::activations);
        total(within).saturating_add(self.output.len())
    }
}

/// Every layer of a network with shapes and costs; the last row is the classifier head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerTable {
    /// The layers in order, the head last.
    pub rows: Vec<LayerPlan>,
}

impl LayerTable {
    /// Number of trained values of the whole network.
    pub fn parameters(&self) -> usize {
        total(self.rows.iter().map(|row| row.parameters))
    }

    /// Floating-point operations for one image, forward.
    pub fn flops(&self) -> usize {
        total(self.rows.iter().map(|row| row.flops))
    }

    /// Number of values that all layers return for one image.
    pub fn activations(&self) -> usize {
        total(self.rows.iter().map(LayerPlan::activations))
    }

    /// Every row with its number, counted from 1: `3` is a layer of the network, `3.1` the first
    /// layer of the residual block there, and `3.p` the projection of its shortcut. A block's own
    /// row comes before those of its parts.
    pub fn numbered(&self) -> Vec<(String, &LayerPlan)> {
        fn add<'a>(found: &mut Vec<(String, &'a LayerPlan)>, number: String, row: &'a LayerPlan) {
            let below = |part: String| format!("{number}.{part}");
            let inner = row.inner.iter().enumerate();
            let inner = inner.map(|(at, row)| (below((at + 1).to_string()), row));
            let projection = row.projection.as_deref().map(|row| (below("p".into()), row));
            let parts: Vec<_> = inner.chain(projection).collect();
            found.push((number, row));
            for (number, row) in parts {
                add(found, number, row);
            }
        }
        let mut found = Vec::new();
        for (at, row) in self.rows.iter().enumerate() {
            add(&mut found, (at + 1).to_string(), row);
        }
        found
    }
}

pub(super) fn total(values: impl Iterator<Item = usize>) -> usize {
    values.fold(0, usize::saturating_add)
}
