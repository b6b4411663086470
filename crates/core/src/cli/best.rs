//! The best model of a run, with the images that it is evaluated on.

use super::error::CliError;
use crate::data::{Loaded, Normalization, Split, Subset};
use crate::ledger::RunFolder;
use crate::model::{Network, OpenDevice, SavedModel};
use crate::study::{LaunchListener, Settings, input_shape};
use crate::sys::signals::StopFlag;

/// A model that is ready to be evaluated.
pub struct Best {
    /// The network.
    pub network: Network,
    /// Where it computes.
    pub device: OpenDevice,
    /// The run's images, after a check that they are those of the run.
    pub loaded: Loaded,
    /// The normalization that the network was trained with, not that of the images loaded now.
    pub normalization: Normalization,
    split: Split,
}

impl Best {
    /// Loads the images of a run's split, and its best model onto the device. The caller has entered the threads
    /// that both are to use.
    ///
    /// # Errors
    ///
    /// When the images are missing or others than the run's, or the model does not fit them.
    pub fn open(
        saved: &SavedModel,
        folder: &RunFolder,
        split: Split,
        settings: &Settings,
        listener: &mut dyn LaunchListener,
    ) -> Result<Self, CliError> {
        let device = settings.device.open()?;
        let file = saved.study.parse()?;
        let stop = &StopFlag::new();
        let loaded = settings.load_recorded(folder, &file, split, listener, stop)?;
        let preparation = &saved.file.preparation;
        let spec = saved.study.validate(input_shape(&loaded.dataset))?;
        preparation.check_fits(&spec)?;
        let network = Network::new(&spec, &saved.file.weights, &device.device)?;
        let normalization = preparation.normalization();
        Ok(Self { network, device, loaded, normalization, split })
    }

    /// The images to evaluate on.
    pub fn subset(&self) -> &Subset {
        self.loaded.dataset.split(self.split)
    }

    /// The first of them, as many as are asked for.
    ///
    /// # Errors
    ///
    /// Never, because the images are those of the split.
    pub fn first(&self, most: Option<u64>) -> Result<Subset, CliError> {
        let all = self.subset();
        let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        Ok(all.with_indices(&all.indices()[..all.len().min(most)])?)
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.loaded.dataset.classes.len()
    }
}
