//! Who hears of a launch as it goes.

use crate::data::{self, DataReport, Dataset};
use crate::ledger::{DataOrigin, Recorded, Repair, RunFolder};
use crate::notify::NotifyError;
use crate::report::ReportError;
use crate::spec::Spec;
use crate::study::Listener;

/// Hears of a launch as it goes.
pub trait LaunchListener: Listener {
    /// Data is being fetched or drawn.
    fn data(&mut self, _progress: data::Progress) {}

    /// Everything is ready and the loop begins.
    fn ready(&mut self, _ready: &Ready) {}

    /// The study is over or stopped, but its reports could not be written.
    fn report_failed(&mut self, _error: &ReportError) {}

    /// The study is over, but whom it notifies could not be told.
    fn notification_failed(&mut self, _error: &NotifyError) {}

    /// Hears every event and its line from now on; called once, before the first event.
    fn recorder(&mut self) -> Option<EventObserver> {
        None
    }
}

/// Gets every recorded event and its line, without the newline.
pub type EventObserver = Box<dyn FnMut(&Recorded, &str) + Send>;

impl LaunchListener for crate::study::Silent {}

/// Whether a run had begun before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// It begins now.
    No,
    /// It goes on.
    Yes,
}

/// What a study is about to run on.
#[derive(Debug)]
pub struct Ready<'a> {
    /// The first trial's spec.
    pub spec: &'a Spec,
    /// The images.
    pub data: &'a Dataset,
    /// Where they come from.
    pub origin: &'a DataOrigin,
    /// What a look at them showed.
    pub report: &'a DataReport,
    /// What trains, in words.
    pub device: &'a str,
    /// CPU threads.
    pub threads: usize,
    /// The run folder.
    pub folder: &'a RunFolder,
    /// Whether the run had begun before.
    pub resumed: Resumed,
    /// The instruction set that the run last computed with, where this process has another one: it
    /// will compute other bits from here on.
    pub other_instruction_set: Option<&'a str>,
    /// What a crash had left of a last event, now removed.
    pub repaired: Option<&'a Repair>,
}
