//! Telling layers that their inputs have been rearranged.

use super::cells::{Cell, CellArray, LayerCells, Line, Part};
use super::shortcut;
use crate::spec::{FeatureShape, Layer};

/// What became of the channels that used to flow into the layers from some place on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rearrangement {
    /// For each new channel: the old one that it holds, and what its consumer has to multiply by.
    pub(super) channels: Vec<Channel>,
}

/// One channel of the child.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Channel {
    /// Holds an old channel; consumers multiply by the factor.
    Old { at: usize, factor: f32 },
    /// Is new; consumers do not listen to it yet.
    New,
}

/// How far a rearrangement went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Weights listen to the old channels where they are now.
    All,
    /// Weights of a convolution in groups can only listen to those that stayed in their group.
    InGroups,
    /// No layer of weights stands behind: the residual block returns the rearranged channels.
    Leaves,
}

impl Rearrangement {
    /// The first `old` channels of each of `groups` as they are, then new ones.
    pub(super) fn appended(old: usize, new: usize, groups: usize) -> Self {
        let (old, new) = (old / groups, new / groups);
        let channels = (0..groups).flat_map(|group| {
            (0..new).map(move |at| match at < old {
                true => Channel::Old { at: group * old + at, factor: 1.0 },
                false => Channel::New,
            })
        });
        Self { channels: channels.collect() }
    }

    /// These old channels, in this order.
    pub(super) fn kept(channels: &[usize]) -> Self {
        let kept = channels.iter().map(|&at| Channel::Old { at, factor: 1.0 });
        Self { channels: kept.collect() }
    }

    /// Rearranges the inputs of what stands at `from` and behind it, up to the first layer of
    /// weights. `shape` is what flows into `from`, with the channels as they were.
    pub(super) fn tell(
        &self,
        cells: &mut [LayerCells],
        part: Part,
        from: usize,
        shape: FeatureShape,
    ) -> Told {
        let mut plane = plane(shape);
        for index in from..cells.len() {
            let (layer, row, cells) =
                (part.layers.get(index), &part.rows[index], &mut cells[index]);
            if part.consumes(index) {
                let Some(weight) = cells.arrays.get_mut("weight") else {
                    return Told::All;
                };
                if let Some(Layer::Conv(conv)) = layer {
                    return self.conv_inputs(weight, row.input.channels(), conv.groups);
                }
                *weight = self.dense_inputs(weight, plane);
                return Told::All;
            }
            if let Some((block, row)) = part.block(index) {
                let inner = Part::of_block(block, row);
                match self.tell(&mut cells.inner, inner, 0, row.input) {
                    Told::Leaves => shortcut::pass_on(cells, self, row),
                    told => {
                        shortcut::rearrange_inputs(cells, self, block, row);
                        return told;
                    }
                }
            } else {
                // Batch-norm and depthwise convolution treat every channel for itself.
                let lines = self.unscaled();
                for array in cells.arrays.values_mut() {
                    *array = array.rearranged(0, &lines);
                }
            }
            plane = self::plane(row.output);
        }
        Told::Leaves
    }

    /// What consumers of weights multiply by.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.channels.iter().map(|channel| channel.line()).collect()
    }

    /// For numbers that belong to a channel, which go along with it.
    pub(super) fn unscaled(&self) -> Vec<Line> {
        let lines = self.channels.iter().map(|channel| match *channel {
            Channel::Old { at, .. } => Line::old(at),
            Channel::New => Line::FRESH,
        });
        lines.collect()
    }

    /// `channels` are those that used to flow in.
    fn conv_inputs(&self, weight: &mut CellArray, channels: usize, groups: usize) -> Told {
        if groups == 1 {
            *weight = weight.rearranged(1, &self.lines());
            return Told::All;
        }
        if !self.channels.len().is_multiple_of(groups) {
            return Told::InGroups;
        }
        let (old, new) = (channels / groups, self.channels.len() / groups);
        let mut is_kept = true;
        let mut rearranged: Option<CellArray> = None;
        for (group, channels) in self.channels.chunks(new.max(1)).enumerate() {
            let own = group * old..(group + 1) * old;
            let lines: Vec<Line> = channels
                .iter()
                .map(|channel| match *channel {
                    Channel::Old { at, factor } if own.contains(&at) => {
                        Line::Old { at: at - own.start, factor }
                    }
                    Channel::Old { .. } => {
                        is_kept = false;
                        Line::FRESH
                    }
                    Channel::New => Line::ZERO,
                })
                .collect();
            let of_all = weight.rearranged(1, &lines);
            // Filters of the group, out of a weight whose filters are all told the same.
            let filters = of_all.shape[0] / groups;
            let filter_len: usize = of_all.shape[1..].iter().product();
            let span = group * filters * filter_len..(group + 1) * filters * filter_len;
            let cells = rearranged
                .get_or_insert_with(|| CellArray::filled(of_all.shape.clone(), Cell::Fresh));
            cells.cells[span.clone()].copy_from_slice(&of_all.cells[span]);
            let listened = own.filter(|at| {
                channels
                    .iter()
                    .any(|channel| matches!(channel, Channel::Old { at: here, .. } if here == at))
            });
            is_kept &= listened.count() == old;
        }
        if let Some(rearranged) = rearranged {
            *weight = rearranged;
        }
        if is_kept { Told::All } else { Told::InGroups }
    }

    /// Flattening puts a channel's whole plane before the next channel's.
    fn dense_inputs(&self, weight: &CellArray, plane: usize) -> CellArray {
        let lines = self.channels.iter().flat_map(|channel| {
            (0..plane).map(move |pixel| match channel.line() {
                Line::Old { at, factor } => Line::Old { at: at * plane + pixel, factor },
                new => new,
            })
        });
        weight.rearranged(0, &lines.collect::<Vec<_>>())
    }
}

impl Channel {
    pub(super) fn line(self) -> Line {
        match self {
            Self::Old { at, factor } => Line::Old { at, factor },
            Self::New => Line::ZERO,
        }
    }
}

/// Pixels of a channel; 1 for flat features.
pub(super) fn plane(shape: FeatureShape) -> usize {
    match shape {
        FeatureShape::Image { height, width, .. } => height * width,
        FeatureShape::Flat { .. } => 1,
    }
}
