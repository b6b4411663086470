//! Policies and their proposals.

use super::history::TrialRecord;
use crate::record::{Forecast, Inherit};
use crate::spec::{Edit, EditError, Spec};

/// A proposal for the next trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// Number of the trial to grow from.
    pub parent: u32,
    /// The edits to apply to the parent's spec.
    pub edits: Vec<Edit>,
    /// The reason, as a clause for people.
    pub reason: String,
    /// What the child inherits from its parent's training.
    pub inherit: Inherit,
    /// The parent's spec with the edits applied.
    pub spec: Spec,
    /// What the policy expects of the trial; `None` where it expects nothing in particular.
    pub forecast: Option<Forecast>,
}

impl Proposal {
    /// A proposal to apply `edits` to `parent`, a trial of the history.
    ///
    /// # Errors
    ///
    /// When an edit does not fit, or the edited study is invalid.
    pub fn new(
        parent: &TrialRecord,
        edits: Vec<Edit>,
        reason: impl Into<String>,
        inherit: Inherit,
    ) -> Result<Self, EditError> {
        let spec = Edit::apply_all(&edits, &parent.spec)?;
        Ok(Self {
            parent: parent.trial,
            edits,
            reason: reason.into(),
            inherit,
            spec,
            forecast: None,
        })
    }
}

/// Proposes the next trial from the history of a study.
///
/// [`Launch::policy`](crate::study::Launch::policy) uses a policy instead of the one that the study
/// names. This one doubles the width of the first layer, up to 64 units:
///
/// ```
/// use burgeon::record::{Ending, EpochRecord, Inherit};
/// use burgeon::spec::{Dense, Edit, InputShape, Layer, Spec, StudyFile};
/// use burgeon::tune::{Policy, Proposal, TrialRecord};
///
/// struct Double;
///
/// impl Policy for Double {
///     fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
///         let last = history.last()?;
///         let width = match last.spec.layers() {
///             [Layer::Dense(dense), ..] if dense.units < 64 => dense.units * 2,
///             _ => return None,
///         };
///         let edits = vec![Edit::Widen { layer: 0, width }];
///         // With several jobs, the next trial differs from the running ones.
///         if running.iter().any(|proposal| proposal.edits == edits) {
///             return None;
///         }
///         Proposal::new(last, edits, "twice as wide", Inherit::Weights).ok()
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = StudyFile::new("wider", vec![Layer::Dense(Dense::of(32))]);
/// let first = TrialRecord {
///     trial: 1,
///     parent: None,
///     edits: vec![],
///     spec: Spec::new(file, InputShape::MNIST)?,
///     curve: vec![EpochRecord { epoch: 1, validation_accuracy: 0.7, ..EpochRecord::default() }],
///     ending: Ending::Completed,
///     train_seconds: 1.0,
///     rates: None,
///     folds: vec![],
/// };
/// let proposal = Double.propose(&[first], &[]).ok_or("it should widen the layer")?;
/// assert_eq!((proposal.parent, proposal.edits[0].to_string()), (1, "widen layer 1 to 64".into()));
/// # Ok(())
/// # }
/// ```
pub trait Policy: Send + Sync {
    /// The next trial; `None` if there is nothing more to try. `history` holds the judged trials in
    /// order and is never empty; the proposal's parent must be one of them. `running` holds the
    /// proposals of the trials that follow and have not been judged yet, so that the policy can
    /// propose something else.
    ///
    /// The result must depend on the arguments alone: a resumed study calls it again and expects the
    /// same answers. It should also be fast, because it is called after each epoch of a running trial
    /// too, with that trial's results so far at the end of the history; that answer is only shown to
    /// the listener.
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal>;

    /// Whether the first proposals follow from the result of the study's first trial, as by default. If not,
    /// [`propose`](Self::propose) is also called while that trial is in training and further `[tune] jobs` are free: the
    /// history then is that trial alone, of which only its spec and number of images are known, and whose score is the
    /// lowest; proposals inherit nothing from it.
    fn needs_first_result(&self) -> bool {
        true
    }

    /// Whether `trial` may still become the parent of a proposal that inherits weights or state from it.
    /// If not, its checkpoints are removed. By default every trial may. Once the answer for a trial is
    /// no, it must stay no.
    fn may_grow_from(&self, _trial: &TrialRecord, _history: &[TrialRecord]) -> bool {
        true
    }
}
