//! One version, watched. Pure: it reads no clock, and writes nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use burgeon_drift::counts::{Alternative, binomial, fisher};
use burgeon_drift::{
    Detector, DetectorError, DetectorState, PixelStats, Reference, SampleError, Sequential,
    Settings, Status, WindowReport,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How a server watches.
#[derive(Debug, Clone)]
pub(crate) struct Watching {
    /// How windows are judged.
    pub settings: Settings,
    /// The least accuracy of labelled answers.
    pub gate: Option<f64>,
}

/// Windows that are told of, the newest.
pub(super) const JUDGED_MAX: usize = 200;

/// A window that was judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Judged {
    /// Counted from 1.
    pub(super) number: u64,
    /// When its first image came.
    pub(super) began: Timestamp,
    /// When its last image came.
    pub(super) ended: Timestamp,
    /// What it and the ones before amount to.
    pub(super) status: Status,
    /// What was found.
    pub(super) report: WindowReport,
}

/// Whether a window is one with which an alarm begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    Begins,
    None,
}

/// What is known of a version besides the detector, to be kept and taken up again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    since: Timestamp,
    /// When the first image of the window came that is not full yet.
    began: Option<Timestamp>,
    images: u64,
    suspicious: u64,
    judged: VecDeque<Judged>,
    right: u64,
    labelled: u64,
    label_alarms: u64,
    gate: Option<f64>,
    sequential: Option<Sequential>,
}

/// All of it, as it is written.
#[derive(Debug, Serialize)]
pub(super) struct Kept<'a> {
    counted: &'a Counted,
    detector: &'a DetectorState,
}

/// All of it, as it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnedKept {
    counted: Counted,
    detector: DetectorState,
}

/// A version that is watched.
#[derive(Debug)]
pub(super) struct Watched {
    counted: Counted,
    detector: Detector,
    run_time: f64,
}

/// What labels tell.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Labels {
    pub(super) images: u64,
    pub(super) right: u64,
    accuracy: f64,
    gate: Option<f64>,
    /// The probability of an accuracy as low, at one that equals the gate's (exact binomial test).
    p_gate: Option<f64>,
    /// The probability of one as low, at one that equals the reference's (Fisher's exact test).
    p_reference: Option<f64>,
    /// Of Shiryaev and Roberts; an alarm from the run time on.
    statistic: Option<f64>,
    run_time: f64,
    pub(super) alarm: bool,
    pub(super) alarms: u64,
}

impl Watched {
    /// One that has seen nothing.
    pub(super) fn new(
        reference: Arc<Reference>,
        watching: &Watching,
        now: Timestamp,
    ) -> Result<Self, DetectorError> {
        let detector = Detector::new(reference, watching.settings)?;
        let run_time = watching.settings.run_time;
        let counted = Counted {
            since: now,
            began: None,
            images: 0,
            suspicious: 0,
            judged: VecDeque::new(),
            right: 0,
            labelled: 0,
            label_alarms: 0,
            gate: watching.gate,
            sequential: watching.gate.and_then(|gate| Sequential::new(gate, run_time)),
        };
        Ok(Self { counted, detector, run_time })
    }

    /// Goes on with what was kept; `None` if it was judged by other settings.
    pub(super) fn resume(
        reference: Arc<Reference>,
        watching: &Watching,
        kept: OwnedKept,
    ) -> Result<Option<Self>, DetectorError> {
        let OwnedKept { counted, detector } = kept;
        let detector = Detector::resume(reference, detector)?;
        let is_valid = counted.judged.len() <= JUDGED_MAX && counted.right <= counted.labelled;
        if !is_valid {
            return Err(DetectorError::State { what: "its counts contradict each other" });
        }
        let run_time = watching.settings.run_time;
        let is_same = *detector.settings() == watching.settings && counted.gate == watching.gate;
        Ok(is_same.then_some(Self { counted, detector, run_time }))
    }

    /// All that is known.
    pub(super) fn kept(&self) -> Kept<'_> {
        Kept { counted: &self.counted, detector: self.detector.state() }
    }

    /// Adds an image. Returns the window that it completes.
    pub(super) fn observe(
        &mut self,
        probabilities: &[f32],
        pixels: &PixelStats,
        now: Timestamp,
    ) -> Result<Option<(Alarm, &Judged)>, SampleError> {
        let alarms = self.detector.alarms();
        let report = self.detector.observe(probabilities, pixels)?.cloned();
        let counted = &mut self.counted;
        counted.images += 1;
        let began = *counted.began.get_or_insert(now);
        let Some(report) = report else { return Ok(None) };
        counted.began = None;
        counted.suspicious += u64::from(report.is_suspicious());
        if counted.judged.len() == JUDGED_MAX {
            counted.judged.pop_front();
        }
        let (number, status) = (self.detector.windows(), self.detector.status());
        counted.judged.push_back(Judged { number, began, ended: now, status, report });
        let alarm = if self.detector.alarms() > alarms { Alarm::Begins } else { Alarm::None };
        Ok(counted.judged.back().map(|judged| (alarm, judged)))
    }

    /// Counts a labelled answer. Returns whether an alarm begins.
    pub(super) fn label(&mut self, is_right: bool) -> bool {
        let counted = &mut self.counted;
        counted.labelled += 1;
        counted.right += u64::from(is_right);
        let Some(sequential) = &mut counted.sequential else { return false };
        let before = sequential.is_alarm();
        let begins = sequential.observe(is_right) && !before;
        counted.label_alarms += u64::from(begins);
        begins
    }

    /// Right answers, and labelled ones.
    pub(super) fn labels(&self) -> [u64; 2] {
        [self.counted.right, self.counted.labelled]
    }

    /// Whether there is an alarm, of images or of labels.
    pub(super) fn is_alarm(&self) -> bool {
        let labels = self.counted.sequential.as_ref();
        self.detector.status() == Status::Alarm || labels.is_some_and(Sequential::is_alarm)
    }

    /// What labels tell; `None` without one.
    pub(super) fn labels_told(&self) -> Option<Labels> {
        let Counted { right, labelled, gate, .. } = self.counted;
        if labelled == 0 {
            return None;
        }
        let reference = self.detector.reference();
        let before = reference.right().map(|right| right as u64);
        let wrong = labelled - right;
        let table =
            before.map(|before| [[right, wrong], [before, reference.images() as u64 - before]]);
        let sequential = self.counted.sequential.as_ref();
        Some(Labels {
            images: labelled,
            right,
            accuracy: right as f64 / labelled as f64,
            gate,
            p_gate: gate.map(|gate| binomial(right, labelled, gate, Alternative::Less)),
            p_reference: table.map(|table| fisher(table, Alternative::Less)),
            statistic: sequential.map(Sequential::statistic),
            run_time: self.run_time,
            alarm: sequential.is_some_and(Sequential::is_alarm),
            alarms: self.counted.label_alarms,
        })
    }

    pub(super) fn detector(&self) -> &Detector {
        &self.detector
    }

    /// When it began.
    pub(super) fn since(&self) -> Timestamp {
        self.counted.since
    }

    /// Images, and suspicious windows.
    pub(super) fn counts(&self) -> [u64; 2] {
        [self.counted.images, self.counted.suspicious]
    }

    /// The last windows, the newest last.
    pub(super) fn judged(&self) -> &VecDeque<Judged> {
        &self.counted.judged
    }
}
