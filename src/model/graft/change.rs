//! What an edit does to the cells of a network, or of a residual block's branch.

use super::cells::{LayerCells, NoLayer, Numbers, Part, normalizing_nothing};
use super::inputs::{Rearrangement, Told};
use super::width::Resized;
use super::{depth, fit, shortcut, width};
use crate::spec::{Edit, FeatureShape, Layer};

/// Layers before and after an edit.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) before: Part<'a>,
    pub(super) after: Part<'a>,
    pub(super) numbers: Numbers<'a>,
}

/// What came of an edit.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// Why what the network says changes, where it does.
    pub(super) notes: Vec<String>,
    /// Of a block's branch that returns rearranged channels: how.
    pub(super) leaves: Option<Rearrangement>,
}

impl From<Option<String>> for Changed {
    fn from(note: Option<String>) -> Self {
        Self { notes: note.into_iter().collect(), leaves: None }
    }
}

impl From<Resized> for Changed {
    fn from(Resized { units, told }: Resized) -> Self {
        match told {
            Told::All => Self::default(),
            Told::InGroups => Some("a convolution in groups sees other channels".to_owned()).into(),
            Told::Leaves => Self { notes: Vec::new(), leaves: Some(units) },
        }
    }
}

impl Changed {
    fn and(mut self, note: Option<String>) -> Self {
        self.notes.extend(note);
        self
    }
}

impl Change<'_> {
    /// Makes the edit. `inputs` is what flowed into each layer, and gets a place for each that is
    /// added.
    pub(super) fn make(
        self,
        edit: &Edit,
        cells: &mut Vec<LayerCells>,
        inputs: &mut Vec<FeatureShape>,
    ) -> Result<Changed, NoLayer> {
        let Self { before, after, numbers } = self;
        let place = |at: usize| at.min(before.layers.len());
        Ok(match *edit {
            Edit::AddConvBlock { at, pool, .. } => {
                let at = place(at);
                let added = 1 + usize::from(pool);
                inputs.splice(at..at, after.rows[at..at + added].iter().map(|row| row.input));
                let (note, told) = depth::insert_conv(cells, before, after, at, pool)?;
                Changed::from(told).and(note)
            }
            Edit::AddResidual { at, .. } => {
                let at = place(at);
                inputs.insert(at, after.rows[at].input);
                depth::insert_residual(cells, before, after, at)?.into()
            }
            Edit::Inside { layer, ref edit } => self.make_inside(layer, edit, cells)?,
            Edit::AddDense { at, .. } => {
                let at = place(at);
                inputs.insert(at, after.rows[at].input);
                let note = depth::insert_dense(cells, before, after, at)?;
                inputs[at + 1] = after.rows[at + 1].input;
                note.into()
            }
            Edit::Widen { layer, width } | Edit::Narrow { layer, width } => {
                let old = before.rows[layer].output.channels();
                if width >= old {
                    width::widen(cells, before, layer, width).into()
                } else {
                    let note = format!("{} units are left out", old - width);
                    Changed::from(width::narrow(cells, before, layer, width, numbers))
                        .and(Some(note))
                }
            }
            Edit::RemoveLayer { layer } => {
                cells.remove(layer);
                inputs.remove(layer);
                let kind = before.layers[layer].kind();
                (kind != "dropout").then(|| format!("the {kind} is gone")).into()
            }
            Edit::SetKernel { layer, .. } => fit::set_kernel(cells, before, after, layer)?.into(),
            Edit::SetStride { .. } => Some("the stride has changed".to_owned()).into(),
            Edit::SetPool { .. } => Some("the pool's window has changed".to_owned()).into(),
            Edit::AddBatchNorm { layer } => {
                let at = layer + 1;
                inputs.insert(at, after.rows[at].input);
                let epsilon = match after.layers.get(at) {
                    Some(Layer::BatchNorm(norm)) => norm.epsilon,
                    _ => return Err(NoLayer),
                };
                cells.insert(at, normalizing_nothing(after.rows[at].input.channels(), epsilon));
                Changed::default()
            }
            Edit::AddDropout { at, .. } => {
                let at = place(at);
                inputs.insert(at, after.rows[at].input);
                cells.insert(at, LayerCells::default());
                Changed::default()
            }
            Edit::SetActivation { .. } => {
                let bends = bends(before.layers) != bends(after.layers);
                bends.then(|| "the activation has changed".to_owned()).into()
            }
            Edit::SetLayers { .. } => {
                *cells = after.fresh();
                *inputs = after.rows.iter().map(|row| row.input).collect();
                Some("all layers are new".to_owned()).into()
            }
            Edit::SetBatchNorm { .. } => {
                Some("the settings of batch normalization have changed".to_owned()).into()
            }
            // What only training sees. Each is named, so that a new edit does not compile until it is
            // said here what becomes of the weights.
            Edit::SetDropout { .. }
            | Edit::SetInitialBias { .. }
            | Edit::AddEpochs { .. }
            | Edit::SetEpochs { .. }
            | Edit::SetLearningRate { .. }
            | Edit::SetSchedule { .. }
            | Edit::SetOptimizer { .. }
            | Edit::SetBatchSize { .. }
            | Edit::SetWeightDecay { .. }
            | Edit::SetLabelSmoothing { .. }
            | Edit::SetGradientClipping { .. }
            | Edit::SetEarlyStopping { .. }
            | Edit::SetAugment { .. } => Changed::default(),
        })
    }

    /// Makes an edit within the residual block at `layer`, and lets its shortcut and what stands
    /// behind it follow where the block returns other channels.
    fn make_inside(
        self,
        layer: usize,
        edit: &Edit,
        cells: &mut [LayerCells],
    ) -> Result<Changed, NoLayer> {
        let (Some((block, row)), Some((new_block, new_row))) =
            (self.before.block(layer), self.after.block(layer))
        else {
            return Err(NoLayer);
        };
        let within = Self {
            before: Part::of_block(block, row),
            after: Part::of_block(new_block, new_row),
            numbers: self.numbers,
        };
        let mut inputs = row.inner.iter().map(|row| row.input).collect();
        let mut changed = within.make(edit, &mut cells[layer].inner, &mut inputs)?;
        let rearranged = changed.leaves.take();
        if let Some(units) = &rearranged {
            shortcut::rearrange_outputs(&mut cells[layer], units, block, row);
        }
        if new_row.projection.is_some() {
            match (block.norm(), new_block.norm()) {
                (None, Some(norm)) => {
                    let channels = new_row.output.channels();
                    shortcut::normalize_nothing(&mut cells[layer], channels, norm.epsilon);
                }
                (Some(old), Some(new)) if old.epsilon != new.epsilon => {
                    let note = "the projection's batch normalization has other settings";
                    changed.notes.push(note.into());
                }
                _ => {}
            }
        }
        let Some(units) = rearranged else {
            return Ok(changed);
        };
        let told = units.tell(cells, self.before, layer + 1, row.output);
        let behind = Changed::from(Resized { units, told });
        changed.notes.extend(behind.notes);
        Ok(Changed { leaves: behind.leaves, ..changed })
    }
}

/// Every activation, those within residual blocks included.
fn bends(layers: &[Layer]) -> Vec<Option<crate::spec::Activation>> {
    let each = layers.iter().flat_map(|layer| {
        let within = match layer {
            Layer::Residual(block) => bends(&block.layers),
            _ => Vec::new(),
        };
        std::iter::once(layer.activation()).chain(within)
    });
    each.collect()
}
