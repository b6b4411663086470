//! The names of events in their lines.

use super::Event;

impl Event {
    /// The names of all events of this version.
    pub const NAMES: [&'static str; 28] = [
        "study_started",
        "data_fallback",
        "data_examined",
        "images_loaded",
        "model_inherited",
        "trial_started",
        "grafted",
        "epoch_finished",
        "checkpoint_written",
        "checkpoint_rejected",
        "trial_profiled",
        "fold_finished",
        "trial_finished",
        "rates_tested",
        "gate_decided",
        "study_resumed",
        "trial_resumed",
        "test_split_read",
        "forgetting_measured",
        "study_stopped",
        "checkpoints_removed",
        "study_extended",
        "job_submitted",
        "job_ended",
        "node_excluded",
        "study_finished",
        "supervisor_restarted",
        "supervisor_gave_up",
    ];

    /// The value of `"event"` in its line.
    pub fn name(&self) -> &str {
        match self {
            Self::StudyStarted { .. } => "study_started",
            Self::DataFallback { .. } => "data_fallback",
            Self::DataExamined { .. } => "data_examined",
            Self::ImagesLoaded { .. } => "images_loaded",
            Self::ModelInherited(_) => "model_inherited",
            Self::TrialStarted { .. } => "trial_started",
            Self::Grafted { .. } => "grafted",
            Self::EpochFinished { .. } => "epoch_finished",
            Self::CheckpointWritten { .. } => "checkpoint_written",
            Self::CheckpointRejected { .. } => "checkpoint_rejected",
            Self::TrialProfiled { .. } => "trial_profiled",
            Self::FoldFinished { .. } => "fold_finished",
            Self::TrialFinished { .. } => "trial_finished",
            Self::RatesTested { .. } => "rates_tested",
            Self::GateDecided { .. } => "gate_decided",
            Self::StudyResumed { .. } => "study_resumed",
            Self::TrialResumed { .. } => "trial_resumed",
            Self::TestSplitRead { .. } => "test_split_read",
            Self::ForgettingMeasured { .. } => "forgetting_measured",
            Self::StudyStopped { .. } => "study_stopped",
            Self::CheckpointsRemoved { .. } => "checkpoints_removed",
            Self::StudyExtended { .. } => "study_extended",
            Self::JobSubmitted { .. } => "job_submitted",
            Self::JobEnded { .. } => "job_ended",
            Self::NodeExcluded { .. } => "node_excluded",
            Self::StudyFinished { .. } => "study_finished",
            Self::SupervisorRestarted { .. } => "supervisor_restarted",
            Self::SupervisorGaveUp { .. } => "supervisor_gave_up",
            Self::Unknown { name, .. } => name,
        }
    }
}
