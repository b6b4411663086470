//! A proposal in the making.

use crate::record::{Finding, Inherit};
use crate::spec::{Edit, Spec};
use crate::tune::policy::Proposal;
use crate::tune::recommended::Suspect;

/// Edits that work together, and why they are made.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    spec: Spec,
    edits: Vec<Edit>,
    reasons: Vec<String>,
    inherit: Inherit,
}

impl Draft {
    pub(super) fn new(spec: &Spec, inherit: Inherit) -> Self {
        Self { spec: spec.clone(), edits: Vec::new(), reasons: Vec::new(), inherit }
    }

    /// The study with all edits made so far.
    pub(super) fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(super) fn edits(&self) -> &[Edit] {
        &self.edits
    }

    /// Applies an edit if it fits, the result is valid, and something changes.
    pub(super) fn make(&mut self, edit: Edit, because: &str) -> bool {
        match edit.apply(&self.spec) {
            Ok(edited) if edited != self.spec => {
                self.spec = edited;
                self.edits.push(edit);
                if !self.reasons.iter().any(|reason| reason == because) {
                    self.reasons.push(because.to_owned());
                }
                true
            }
            _ => false,
        }
    }

    /// Applies the edits that bring suspects into their recommended ranges.
    pub(super) fn repair(&mut self, suspects: &[&Suspect]) {
        for suspect in suspects {
            for edit in &suspect.edits {
                self.make(edit.clone(), &suspect.what);
            }
        }
    }

    /// Makes the child shrink and perturb the inherited weights.
    pub(super) fn refresh(&mut self, because: &str) {
        self.inherit = Inherit::Refreshed;
        self.reasons.push(because.to_owned());
    }

    /// What the child can inherit.
    pub(super) fn inherit(&self) -> Inherit {
        // Where the position in the parent's epochs still means something, training goes on.
        let is_new = self.edits.iter().any(Edit::changes_network);
        // Weights that were learned under another activation, or around dead units, are in the way.
        let is_fresh =
            |edit: &Edit| matches!(edit, Edit::SetActivation { .. } | Edit::SetInitialBias { .. });
        match self.inherit {
            _ if self.edits.iter().any(is_fresh) => Inherit::Nothing,
            Inherit::State if is_new => Inherit::Weights,
            inherit => inherit,
        }
    }

    pub(super) fn into_proposal(self, parent: u32, finding: &Finding) -> Proposal {
        let inherit = self.inherit();
        // The evidence names what is unusual already.
        let reasons: Vec<String> = self
            .reasons
            .into_iter()
            .filter(|reason| !finding.evidence.contains(reason.as_str()))
            .collect();
        let mut reason = format!("{}: {}", finding.diagnosis, finding.evidence);
        for because in &reasons {
            reason += &format!("; {because}");
        }
        Proposal { parent, reason, edits: self.edits, inherit, spec: self.spec, forecast: None }
    }
}
