//! Who proposes the next edits.

// In a circle with draft: the trait, and the function that names its implementations.
// In a circle with tpe: the trait, and the function that names its implementations.
// In a circle with asha: the trait, and the function that names its implementations.
// In a circle with search: the trait, and the function that names its implementations.
// In a circle with grow: the trait, and the function that names its implementations.

use super::grow::Grow;
use super::history::TrialRecord;
use super::search::{Asha, Random, Tpe};
use crate::record::Inherit;
use crate::spec::{self, Edit, EditError, Spec};

/// The next trial: which one to change, how, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The trial to grow from.
    pub parent: u32,
    /// What to change.
    pub edits: Vec<Edit>,
    /// Why, in words that a newcomer understands.
    pub reason: String,
    /// What the child keeps of what its parent learned.
    pub inherit: Inherit,
    /// The parent's spec with the edits made.
    pub spec: Spec,
}

impl Proposal {
    /// A trial that grows from `parent`, a trial of the history, by these edits; its spec follows
    /// from them.
    ///
    /// # Errors
    ///
    /// When an edit cannot be made.
    pub fn new(
        parent: &TrialRecord,
        edits: Vec<Edit>,
        reason: impl Into<String>,
        inherit: Inherit,
    ) -> Result<Self, EditError> {
        let spec = Edit::apply_all(&edits, &parent.spec)?;
        Ok(Self { parent: parent.trial, edits, reason: reason.into(), inherit, spec })
    }
}

/// Proposes trials from the history of a study.
pub trait Policy: Send + Sync {
    /// The next trial; `None` when the policy knows nothing more to try. `history` is never empty
    /// and every proposal's parent is in it. `running` are the trials that come right behind the
    /// history and have not ended yet: what they try need not be tried again.
    ///
    /// It is asked before trials are started, and once more after every epoch of a running trial,
    /// with what that trial has come to so far as the last of the history: the answer is shown to
    /// whoever watches and otherwise dropped. So it has to be a function of its arguments alone,
    /// and to cost little.
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal>;

    /// Whether a trial of the history may still be the parent of a proposal that keeps anything of
    /// what it learned. The checkpoints of one that may not are removed as the study goes; the
    /// default keeps all. Once it says no of a trial, it has to stay with that.
    fn may_grow_from(&self, _trial: &TrialRecord, _history: &[TrialRecord]) -> bool {
        true
    }
}

/// The policy that a study asks for.
pub fn policy_for(policy: spec::Policy) -> Box<dyn Policy> {
    match policy {
        spec::Policy::Grow => Box::new(Grow),
        spec::Policy::Random => Box::new(Random),
        spec::Policy::Tpe => Box::new(Tpe),
        spec::Policy::Asha => Box::new(Asha),
    }
}
