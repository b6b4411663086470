//! Asks the growth policy for trials without training and without burn: each trial gets an invented accuracy.
//!
//! `cargo run --no-default-features --example spec_and_tune`

use burgeon::gate::judge;
use burgeon::record::EpochRecord;
use burgeon::spec::{Conv, Edit, InputShape, Layer, Spec, StudyFile};
use burgeon::tune::{Grow, Policy, TrialRecord, diagnose};

/// A trial whose accuracy grows with the number of parameters.
fn trial(trial: u32, spec: Spec, parent: Option<u32>, edits: Vec<Edit>) -> TrialRecord {
    let accuracy = 1.0 - 1.0 / (spec.table().parameters() as f64).log2();
    let epoch = EpochRecord { epoch: 1, train_accuracy: accuracy, ..EpochRecord::default() };
    let curve = vec![EpochRecord { validation_accuracy: accuracy, images: 55_000, ..epoch }];
    TrialRecord { parent, edits, ..TrialRecord::new(trial, spec, curve) }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut file = StudyFile::new("made-up", vec![Layer::Conv(Conv::same(1, 3))]);
    (file.train.epochs, file.gate.accuracy) = (1, 0.94);
    let mut history = vec![trial(1, Spec::new(file, InputShape::MNIST)?, None, vec![])];
    for number in 2..10 {
        let last = &history[history.len() - 1];
        let judgement = judge(last.spec.gate(), last.best(), 5000);
        println!("trial {}: {judgement}", last.trial);
        println!("  {}", diagnose(last, judgement.passes).evidence);
        if judgement.passes {
            break;
        }
        let Some(proposal) = Grow.propose(&history, &[]) else { break };
        println!("  {}", proposal.reason);
        history.push(trial(number, proposal.spec, Some(proposal.parent), proposal.edits));
    }
    Ok(())
}
