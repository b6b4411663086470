//! The drift monitor of a version. Pure: it reads no clock and writes nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use burgeon_drift::counts::{Alternative, binomial, fisher};
use burgeon_drift::{
    Detector, DetectorError, DetectorState, PixelStats, Reference, SampleError, Sequential,
    Settings, Status, WindowReport,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The settings of drift monitoring.
#[derive(Debug, Clone)]
pub(crate) struct Watching {
    /// How windows are judged.
    pub settings: Settings,
    /// The lowest acceptable accuracy of labelled predictions.
    pub gate: Option<f64>,
}

/// How many of the newest windows are published.
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
    /// The status after this window.
    pub(super) status: Status,
    /// The findings.
    pub(super) report: WindowReport,
}

/// Whether a window raises an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    Begins,
    None,
}

/// The stored state of a version, besides that of the detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    since: Timestamp,
    /// When the first image of the current window arrived.
    began: Option<Timestamp>,
    images: u64,
    suspicious: u64,
    judged: VecDeque<Judged>,
    right: u64,
    labelled: u64,
    label_alarms: u64,
    gate: Option<f64>,
    sequential: Option<Sequential>,
    /// The alarms that people know of: by images, and by labels.
    #[serde(default)]
    told: [Option<Told>; 2],
}

impl Counted {
    fn told(&self) -> Vec<(By, Told)> {
        By::ALL.into_iter().zip(self.told).filter_map(|(by, told)| Some((by, told?))).collect()
    }
}

/// An alarm that people were told of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    /// When it began.
    pub(super) at: Timestamp,
    /// Windows or labels since it ended, in a row.
    quiet: u32,
}

/// What raises an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Images,
    Labels,
}

/// What people are to be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Tell {
    Alarm(By),
    Over(By, Told),
}

impl By {
    pub(super) const ALL: [Self; 2] = [Self::Images, Self::Labels];

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }

    /// After so many windows or labels without an alarm, it counts as over: one that comes and goes is told once.
    fn quiet(self) -> u32 {
        match self {
            Self::Images => 3,
            Self::Labels => 50,
        }
    }
}

/// The stored state, for writing.
#[derive(Debug, Serialize)]
pub(super) struct Kept<'a> {
    counted: &'a Counted,
    detector: &'a DetectorState,
}

/// The stored state, for reading.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnedKept {
    counted: Counted,
    detector: DetectorState,
}

impl OwnedKept {
    /// The alarms that people were told of, and that were not over.
    pub(super) fn told(&self) -> Vec<(By, Told)> {
        self.counted.told()
    }
}

/// The drift monitor of a version.
#[derive(Debug)]
pub(super) struct Watched {
    counted: Counted,
    detector: Detector,
    run_time: f64,
}

/// The accuracy according to labels.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Labels {
    pub(super) images: u64,
    pub(super) right: u64,
    pub(super) accuracy: f64,
    pub(super) gate: Option<f64>,
    /// The probability of an accuracy this low if the true accuracy equals the gate (exact binomial test).
    pub(super) p_gate: Option<f64>,
    /// The probability of an accuracy this low if the true accuracy equals that of the reference (Fisher's exact test).
    pub(super) p_reference: Option<f64>,
    /// The Shiryaev–Roberts statistic; it raises an alarm when it reaches the run time.
    pub(super) statistic: Option<f64>,
    pub(super) run_time: f64,
    pub(super) alarm: bool,
    pub(super) alarms: u64,
}

impl Watched {
    /// A monitor without data.
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
            told: [None; 2],
        };
        Ok(Self { counted, detector, run_time })
    }

    /// Resumes from a stored state; `None` if it has other settings.
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

    /// The state to store.
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

    /// Counts a labelled prediction. Returns whether an alarm is raised.
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

    /// What people are to be told after a window was judged or a label counted.
    pub(super) fn tell(&mut self, by: By, now: Timestamp) -> Option<Tell> {
        let labels = self.counted.sequential.as_ref();
        let is_alarm = match by {
            By::Images => self.detector.status() == Status::Alarm,
            By::Labels => labels.is_some_and(Sequential::is_alarm),
        };
        let told = &mut self.counted.told[by as usize];
        match (told.as_mut(), is_alarm) {
            (None, false) => None,
            (None, true) => {
                *told = Some(Told { at: now, quiet: 0 });
                Some(Tell::Alarm(by))
            }
            (Some(alarm), true) => {
                alarm.quiet = 0;
                None
            }
            (Some(alarm), false) => {
                alarm.quiet += 1;
                let over = (alarm.quiet >= by.quiet()).then_some(Tell::Over(by, *alarm));
                if over.is_some() {
                    *told = None;
                }
                over
            }
        }
    }

    /// The alarms that people were told of, and that are not over.
    pub(super) fn told(&self) -> Vec<(By, Told)> {
        self.counted.told()
    }

    /// The number of right predictions, and of labelled ones.
    pub(super) fn labels(&self) -> [u64; 2] {
        [self.counted.right, self.counted.labelled]
    }

    /// Whether there is an alarm by images or by labels.
    pub(super) fn is_alarm(&self) -> bool {
        let labels = self.counted.sequential.as_ref();
        self.detector.status() == Status::Alarm || labels.is_some_and(Sequential::is_alarm)
    }

    /// The accuracy according to labels; `None` without labels.
    pub(super) fn label_accuracy(&self) -> Option<Labels> {
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

    /// When monitoring began.
    pub(super) fn since(&self) -> Timestamp {
        self.counted.since
    }

    /// The number of images, and of suspicious windows.
    pub(super) fn counts(&self) -> [u64; 2] {
        [self.counted.images, self.counted.suspicious]
    }

    /// The last windows, the newest last.
    pub(super) fn judged(&self) -> &VecDeque<Judged> {
        &self.counted.judged
    }
}
