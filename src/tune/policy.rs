//! Who proposes the next edits.

use serde::{Deserialize, Serialize};

use super::grow::Grow;
use super::history::TrialRecord;
use super::search::{Asha, Random, Tpe};
use crate::spec::{self, Edit, Spec};

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

/// What a child keeps of what its parent learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inherit {
    /// Nothing: the parent's weights are broken, or there is no parent.
    Nothing,
    /// Every weight that fits; the epochs start anew.
    Weights,
    /// As `Weights`, but every weight is shrunk and perturbed, so that a network that is sure of
    /// nearly every image can learn what was added to it.
    Refreshed,
    /// Weights, optimizer and position: the parent's training goes on.
    State,
}

/// Proposes trials from the history of a study.
pub trait Policy: Send + Sync {
    /// The next trial; `None` when the policy knows nothing more to try. `history` is never empty
    /// and every proposal's parent is in it. `running` are the trials that come right behind the
    /// history and have not ended yet: what they try need not be tried again.
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal>;
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
