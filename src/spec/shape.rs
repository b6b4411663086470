//! Shape inference: what every layer receives, returns, holds and costs.

use std::fmt;

/// What the data hands to the network: grey or colour images of one size, and their classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct InputShape {
    /// 1 for grey images.
    pub channels: usize,
    /// In pixels.
    pub height: usize,
    /// In pixels.
    pub width: usize,
    /// Number of classes, at least 2.
    pub classes: usize,
}

impl InputShape {
    /// MNIST's: grey, 28×28, ten digits. The built-in digits have the same.
    pub const MNIST: Self = Self { channels: 1, height: 28, width: 28, classes: 10 };
}

/// What flows between two layers, for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureShape {
    /// `[channels, height, width]`.
    Image {
        /// Feature maps.
        channels: usize,
        /// In pixels.
        height: usize,
        /// In pixels.
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

    /// Whether nothing flows; never so in a validated study.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Height and width of an image in pixels; 1 and 1 of flat features.
    pub(crate) fn sides(self) -> [usize; 2] {
        match self {
            Self::Image { height, width, .. } => [height, width],
            Self::Flat { .. } => [1, 1],
        }
    }

    /// Channels of an image, features of a vector: what batch-norm normalizes over.
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
    /// The layer in words, such as `conv 6 × 5×5 same, relu`.
    pub name: String,
    /// What it receives.
    pub input: FeatureShape,
    /// What it returns.
    pub output: FeatureShape,
    /// Trained values.
    pub parameters: usize,
    /// Floating-point operations for one image, forward; a multiply-add counts as two.
    pub flops: usize,
    /// Of a residual block, the layers of its branch; they are part of the block's own figures.
    pub inner: Vec<LayerPlan>,
    /// Of a residual block that returns another shape than it receives, the projection of its
    /// shortcut; part of the block's own figures as well.
    pub projection: Option<Box<LayerPlan>>,
}

impl LayerPlan {
    /// Values that one image leaves behind here, within the layer and after it.
    fn activations(&self) -> usize {
        let within = self.inner.iter().chain(self.projection.as_deref()).map(Self::activations);
        total(within).saturating_add(self.output.len())
    }
}

/// Every layer of a network with shapes and costs; the last row is the classifier head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerTable {
    /// In order, the head last.
    pub rows: Vec<LayerPlan>,
}

impl LayerTable {
    /// Trained values of the whole network.
    pub fn parameters(&self) -> usize {
        total(self.rows.iter().map(|row| row.parameters))
    }

    /// Floating-point operations for one image, forward.
    pub fn flops(&self) -> usize {
        total(self.rows.iter().map(|row| row.flops))
    }

    /// Values that one image leaves behind between layers.
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
