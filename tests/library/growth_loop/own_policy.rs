//! Policies that propose what cannot be trained.

use burgeon::record::Inherit;
use burgeon::spec::Edit;
use burgeon::study::StopFlag;
use burgeon::tune::{Proposal, TrialRecord};
use burgeon::unstable::ledger::Ledger;
use burgeon::unstable::study::{Growth, Silent, Study, StudyError, StudySetup};

use super::playback::Playback;
use super::{Run, spec};

/// Proposes what its function says.
struct Says(fn(&[TrialRecord]) -> Proposal);

impl burgeon::tune::Policy for Says {
    fn propose(&self, history: &[TrialRecord], _: &[Proposal]) -> Option<Proposal> {
        Some((self.0)(history))
    }
}

#[test]
fn a_proposal_that_cannot_be_trained_is_an_error_that_says_why() {
    fn proposal(history: &[TrialRecord], edits: Vec<Edit>) -> Proposal {
        Proposal::new(&history[0], edits, "why not", Inherit::Weights).unwrap()
    }
    let of_nobody: fn(&[TrialRecord]) -> Proposal =
        |history| Proposal { parent: 9, ..proposal(history, vec![Edit::AddEpochs { epochs: 1 }]) };
    let of_other_edits: fn(&[TrialRecord]) -> Proposal = |history| Proposal {
        edits: vec![Edit::AddEpochs { epochs: 2 }],
        ..proposal(history, vec![Edit::AddEpochs { epochs: 1 }])
    };
    for (says, expected) in
        [(of_nobody, "trial 9, is not in the history"), (of_other_edits, "with its edits applied")]
    {
        let run = Run::new();
        let setup = StudySetup {
            spec: spec(8),
            training_images: 55_000,
            validation_images: 5000,
            growth: Growth::On,
        };
        let (trainer, mut silent) = (Playback::of(&[0.4, 0.5]), Silent);
        let ledger = Ledger::without_file();
        let folder = run.folder.clone();
        let study = Study::new(setup, folder, ledger, &trainer, &mut silent, StopFlag::new());
        let error = study.with_policy(Box::new(Says(says))).run().unwrap_err();
        assert!(matches!(error, StudyError::Proposal { trial: 2, .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}
