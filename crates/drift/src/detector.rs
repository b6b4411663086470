//! Watches a stream of images, window by window.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{DetectorError, SampleError};
use crate::level::window_level;
use crate::pixels::PixelStats;
use crate::reference::{Reference, VALUES_MAX, columns};
use crate::window::{Floors, Window, WindowReport};

/// The fewest images of a window: with fewer, no comparison tells anything.
pub const WINDOW_MIN: usize = 20;

/// The most images of a window.
pub const WINDOW_MAX: usize = 10_000;

/// The suspicious windows one after the other that are an alarm.
pub const CONSECUTIVE: u32 = 2;

/// The windows whose reports are kept.
pub const HISTORY_MAX: usize = 64;

/// How a detector judges.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Images of a window.
    pub window: usize,
    /// The windows from one false alarm to the next, on average.
    pub run_time: f64,
    /// The least effects that count.
    pub floors: Floors,
}

impl Default for Settings {
    fn default() -> Self {
        Self { window: 500, run_time: 10_000.0, floors: Floors::default() }
    }
}

impl Settings {
    /// The defaults for a set of so many images, which have to be two windows at least; `None` if they are too few.
    pub fn for_images(images: usize) -> Option<Self> {
        let settings = Self::default();
        let window = settings.window.min(images / CONSECUTIVE as usize);
        (window >= WINDOW_MIN).then_some(Self { window, ..settings })
    }

    /// Checks every value.
    ///
    /// # Errors
    ///
    /// The first that is invalid.
    pub fn check(&self, reference: &Reference) -> Result<(), DetectorError> {
        let most = (VALUES_MAX / columns(reference.classes())).clamp(WINDOW_MIN, WINDOW_MAX);
        if !(WINDOW_MIN..=most).contains(&self.window) {
            return Err(DetectorError::Window { found: self.window, least: WINDOW_MIN, most });
        }
        if !(2.0..=1e12).contains(&self.run_time) {
            return Err(DetectorError::RunTime { found: self.run_time });
        }
        let Floors { distance, classes, unsure, faults } = self.floors;
        let floors =
            [("distance", distance), ("classes", classes), ("unsure", unsure), ("faults", faults)];
        match floors.into_iter().find(|(_, floor)| !(0.0..=1.0).contains(floor)) {
            Some((name, found)) => Err(DetectorError::Floor { name, found }),
            None => Ok(()),
        }
    }
}

/// What the last windows amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No window was full yet.
    Waiting,
    /// The last window was like the reference.
    Quiet,
    /// The last window differed, but not the one before it.
    Suspicious,
    /// The last windows differed, [`CONSECUTIVE`] or more.
    Alarm,
}

/// All that a detector knows, to be kept and taken up again. It has no image, and its size is bounded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorState {
    settings: Settings,
    window: Window,
    windows: u64,
    suspicious: u32,
    alarms: u64,
    history: VecDeque<WindowReport>,
}

/// Compares a stream of images with a reference.
#[derive(Debug, Clone)]
pub struct Detector {
    reference: Arc<Reference>,
    level: f64,
    state: DetectorState,
}

impl Detector {
    /// A detector that has seen nothing.
    ///
    /// # Errors
    ///
    /// If a setting is invalid.
    pub fn new(reference: Arc<Reference>, settings: Settings) -> Result<Self, DetectorError> {
        let window = Window::new(reference.classes());
        let history = VecDeque::new();
        let state =
            DetectorState { settings, window, windows: 0, suspicious: 0, alarms: 0, history };
        Self::resume(reference, state)
    }

    /// Goes on with the state of another one.
    ///
    /// # Errors
    ///
    /// If the state is that of a model with other classes, or damaged.
    pub fn resume(reference: Arc<Reference>, state: DetectorState) -> Result<Self, DetectorError> {
        state.settings.check(&reference)?;
        if !state.window.is_valid(reference.classes(), state.settings.window) {
            return Err(DetectorError::State { what: "its window does not fit the reference" });
        }
        if state.history.len() > HISTORY_MAX {
            return Err(DetectorError::State { what: "its history is too long" });
        }
        if u64::from(state.suspicious) > state.windows || state.alarms > state.windows {
            return Err(DetectorError::State { what: "its counts contradict each other" });
        }
        let Settings { window, run_time, .. } = state.settings;
        let level = window_level(run_time, window, reference.images());
        Ok(Self { reference, level, state })
    }

    /// Adds an image: the model's probability of each class, and its pixels. Returns the report of the window that it
    /// completes.
    ///
    /// # Errors
    ///
    /// If it has another number of probabilities; it is not counted then.
    pub fn observe(
        &mut self,
        probabilities: &[f32],
        pixels: &PixelStats,
    ) -> Result<Option<&WindowReport>, SampleError> {
        let state = &mut self.state;
        state.window.add(&self.reference, probabilities, pixels)?;
        if state.window.len() < state.settings.window {
            return Ok(None);
        }
        let empty = Window::new(self.reference.classes());
        let window = std::mem::replace(&mut state.window, empty);
        let report = window.report(&self.reference, self.level, &state.settings.floors);
        state.windows = state.windows.saturating_add(1);
        state.suspicious = match report.is_suspicious() {
            true => state.suspicious.saturating_add(1),
            false => 0,
        };
        // An alarm that lasts is one alarm.
        state.alarms += u64::from(state.suspicious == CONSECUTIVE);
        if state.history.len() == HISTORY_MAX {
            state.history.pop_front();
        }
        state.history.push_back(report);
        Ok(state.history.back())
    }

    /// What the last windows amount to.
    pub fn status(&self) -> Status {
        match (self.state.windows, self.state.suspicious) {
            (0, _) => Status::Waiting,
            (_, 0) => Status::Quiet,
            (_, CONSECUTIVE..) => Status::Alarm,
            _ => Status::Suspicious,
        }
    }

    /// The level of a window that follows from the run time.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.state.settings
    }

    /// What it compares with.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Windows so far.
    pub fn windows(&self) -> u64 {
        self.state.windows
    }

    /// Alarms that began so far.
    pub fn alarms(&self) -> u64 {
        self.state.alarms
    }

    /// Images of the window that is not full yet.
    pub fn pending(&self) -> usize {
        self.state.window.len()
    }

    /// The reports of the last windows, the newest last.
    pub fn history(&self) -> impl ExactSizeIterator<Item = &WindowReport> {
        self.state.history.iter()
    }

    /// All that it knows.
    pub fn state(&self) -> &DetectorState {
        &self.state
    }
}
