//! Listeners of a launch.

use std::error::Error;

use crate::data::{self, DataReport, Dataset};
use crate::ledger::{DataOrigin, Recorded, Repair, RunFolder};
use crate::notify::NotifyError;
use crate::record::{Forgetting, InheritedModel};
use crate::report::ReportError;
use crate::spec::Spec;
use crate::study::Listener;

/// A [`Listener`] that also receives what happens before the first trial and after the last one.
pub trait LaunchListener: Listener {
    /// Progress of downloading, reading or drawing images.
    fn data(&mut self, _progress: data::Progress) {}

    /// Data, device and run folder are ready; the loop starts.
    fn ready(&mut self, _ready: &Ready) {}

    /// The study finished, and what its best model has forgotten was measured, or could not be; see
    /// [`ModelSpec::measure_forgetting`](crate::spec::ModelSpec::measure_forgetting).
    fn forgetting(&mut self, _measured: Result<&Forgetting, &(dyn Error + 'static)>) {}

    /// The study ended, but its report could not be written.
    fn report_failed(&mut self, _error: &ReportError) {}

    /// The study finished, but the card of its best model could not be written again.
    fn card_failed(&mut self, _error: &(dyn Error + 'static)) {}

    /// A message of `[notify]` was sent; the text says which and to whom.
    fn notified(&mut self, _message: &str) {}

    /// The study ended, but the command of `[notify]` failed, or a message could not be sent; those that wait
    /// are kept in the run folder.
    fn notification_failed(&mut self, _error: &NotifyError) {}

    /// A function to receive every recorded event; called once, before the first event.
    fn recorder(&mut self) -> Option<EventObserver> {
        None
    }
}

/// Receives every recorded event and its line in `events.jsonl`, without the newline.
pub type EventObserver = Box<dyn FnMut(&Recorded, &str) + Send>;

impl LaunchListener for crate::study::Silent {}

/// Whether a run is new or resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// The run is new.
    No,
    /// The run continues after a stop or a crash.
    Yes,
}

/// Everything that a study is about to run with.
#[derive(Debug)]
pub struct Ready<'a> {
    /// The first trial's spec.
    pub spec: &'a Spec,
    /// The images.
    pub data: &'a Dataset,
    /// Where the images come from, including whether the built-in digits stand in for MNIST.
    pub origin: &'a DataOrigin,
    /// Number of images per class and split, and anything unusual about the images.
    pub report: &'a DataReport,
    /// Name of the device.
    pub device: &'a str,
    /// CPU threads.
    pub threads: usize,
    /// The run folder.
    pub folder: &'a RunFolder,
    /// What the first trial inherits from a trained model, if the study starts with one.
    pub inherited: Option<&'a InheritedModel>,
    /// Whether the run is new or resumed.
    pub resumed: Resumed,
    /// The instruction set that the run used so far, if this process uses another one: results then
    /// differ in their last bits.
    pub other_instruction_set: Option<&'a str>,
    /// The unfinished last event that a crash left and that was removed.
    pub repaired: Option<&'a Repair>,
}
