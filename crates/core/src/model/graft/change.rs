//! Applies an edit to the cells of a network, or of the layers within a residual block.

use super::cells::{LayerCells, NoLayer, Numbers, Part, identity_norm};
use super::inputs::{Consumer, Rearrangement};
use super::width::Resized;
use super::{depth, fit, shortcut, width};
use crate::spec::{Edit, FeatureShape, Layer};

/// The layers before and after an edit.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) before: Part<'a>,
    pub(super) after: Part<'a>,
    pub(super) numbers: Numbers<'a>,
}

/// The effect of an edit beyond its own layer.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// What changes the network's outputs, as clauses.
    pub(super) notes: Vec<String>,
    /// The rearrangement of the channels that a residual block returns, if no layer within it adapted to
    /// it.
    pub(super) leaving: Option<Rearrangement>,
}

impl From<Option<String>> for Changed {
    fn from(note: Option<String>) -> Self {
        Self { notes: note.into_iter().collect(), leaving: None }
    }
}

impl From<Resized> for Changed {
    fn from(Resized { units, consumer }: Resized) -> Self {
        match consumer {
            Consumer::Adapted => Self::default(),
            Consumer::PartlyAdapted => {
                Some("a grouped convolution receives other channels".to_owned()).into()
            }
            Consumer::Outside => Self { notes: Vec::new(), leaving: Some(units) },
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
    /// Applies the edit to `cells`. `inputs` holds the input shape of each layer before the edit; a shape
    /// is inserted for each new layer.
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
                let (note, resized) = depth::insert_conv(cells, before, after, at, pool)?;
                Changed::from(resized).and(note)
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
                    let note = format!("{} units were removed", old - width);
                    Changed::from(width::narrow(cells, before, layer, width, numbers))
                        .and(Some(note))
                }
            }
            Edit::RemoveLayer { layer } => {
                cells.remove(layer);
                inputs.remove(layer);
                let kind = before.layers[layer].kind();
                (kind != "dropout").then(|| format!("a {kind} layer was removed")).into()
            }
            Edit::SetKernel { layer, .. } => fit::set_kernel(cells, before, after, layer)?.into(),
            Edit::SetStride { .. } => Some("a stride changed".to_owned()).into(),
            Edit::SetPool { .. } => Some("a pooling window changed".to_owned()).into(),
            Edit::AddBatchNorm { layer } => {
                let at = layer + 1;
                inputs.insert(at, after.rows[at].input);
                let epsilon = match after.layers.get(at) {
                    Some(Layer::BatchNorm(norm)) => norm.epsilon,
                    _ => return Err(NoLayer),
                };
                cells.insert(at, identity_norm(after.rows[at].input.channels(), epsilon));
                Changed::default()
            }
            Edit::AddDropout { at, .. } => {
                let at = place(at);
                inputs.insert(at, after.rows[at].input);
                cells.insert(at, LayerCells::default());
                Changed::default()
            }
            Edit::SetActivation { .. } => {
                let is_changed = activations(before.layers) != activations(after.layers);
                is_changed.then(|| "the activation changed".to_owned()).into()
            }
            Edit::SetLayers { .. } => {
                *cells = after.fresh();
                *inputs = after.rows.iter().map(|row| row.input).collect();
                Some("all layers are new".to_owned()).into()
            }
            Edit::SetBatchNorm { .. } => {
                Some("the settings of batch normalization changed".to_owned()).into()
            }
            // These only change the training. All are listed, so that a new edit does not compile until
            // its effect on the weights is defined here.
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

    /// Applies an edit within the residual block at `layer`. If the block then returns other channels,
    /// its shortcut and the layers after it are adapted.
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
        let rearranged = changed.leaving.take();
        if let Some(units) = &rearranged {
            shortcut::rearrange_outputs(&mut cells[layer], units, block, row);
        }
        if new_row.projection.is_some() {
            match (block.norm(), new_block.norm()) {
                (None, Some(norm)) => {
                    let channels = new_row.output.channels();
                    shortcut::add_identity_norm(&mut cells[layer], channels, norm.epsilon);
                }
                (Some(old), Some(new)) if old.epsilon != new.epsilon => {
                    let note = "the settings of a projection's batch normalization changed";
                    changed.notes.push(note.into());
                }
                _ => {}
            }
        }
        let Some(units) = rearranged else {
            return Ok(changed);
        };
        let consumer = units.adapt_consumer(cells, self.before, layer + 1, row.output);
        let after_block = Changed::from(Resized { units, consumer });
        changed.notes.extend(after_block.notes);
        Ok(Changed { leaving: after_block.leaving, ..changed })
    }
}

/// Every activation, including those within residual blocks.
fn activations(layers: &[Layer]) -> Vec<Option<crate::spec::Activation>> {
    let each = layers.iter().flat_map(|layer| {
        let within = match layer {
            Layer::Residual(block) => activations(&block.layers),
            _ => Vec::new(),
        };
        std::iter::once(layer.activation()).chain(within)
    });
    each.collect()
}
