//! Where a study runs: device, threads, folders, downloads.

use std::path::PathBuf;

use super::error::LaunchError;
use super::images::input_shape;
use super::listener::LaunchListener;
use crate::data::{self, DataError, DataRequest, Download, Loaded, Places};
use crate::model::DeviceChoice;
use crate::spec::{DataSpec, Fallback, InputShape, Source, Spec, StudyDocument};
use crate::study::Growth;
use crate::train::Profiling;
use burgeon_kernel::Executor;

/// How to run a study, beyond what its file says.
///
/// The library reads these of the environment: `HOME` and `XDG_CACHE_HOME` for the folder that
/// downloads are kept in, `BURGEON_DATA` nowhere (it is an option of the command; here it is
/// [`data`](Self::data)), `BURGEON_CPU` for an instruction set, and what a supervisor sets for its
/// child. It downloads MNIST where a study asks for it, no folder has it, and
/// [`download`](Self::download) allows it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether failed trials are followed by edited ones.
    pub growth: Growth,
    /// Which device trains.
    pub device: DeviceChoice,
    /// CPU threads; all cores unless said.
    pub threads: Option<usize>,
    /// Folder with the MNIST files, looked at before the usual places.
    pub data: Option<PathBuf>,
    /// Whether and whence MNIST is fetched when no folder has it.
    pub download: Download,
    /// Folder that run folders are made in.
    pub runs: PathBuf,
    /// Whether an unfinished run of the same study is gone on with.
    pub resume: Resume,
    /// Whether trials tell where their time goes.
    pub profiling: Profiling,
    /// What to call this process where it is named: in the lock and in the provenance. Text for
    /// people, in which an argument that is not UTF-8 has replacement characters.
    pub command: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            growth: Growth::On,
            device: DeviceChoice::Auto,
            threads: None,
            data: None,
            download: Download::usual(),
            runs: "runs".into(),
            resume: Resume::Never,
            profiling: Profiling::Off,
            command: std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        }
    }
}

/// Whether an unfinished run of the same study is gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Every launch makes a new run.
    Never,
    /// The newest run of the study's name, where it is not finished; one that is finished says
    /// what it came to, and is not repeated.
    Auto,
}

impl Settings {
    /// Reads and checks the study, and loads its images. What can be checked without the images is
    /// checked before they are looked for.
    ///
    /// # Errors
    ///
    /// When the study is wrong or the images cannot be had.
    pub fn prepare(
        &self,
        study: &StudyDocument,
        listener: &mut dyn LaunchListener,
    ) -> Result<(Spec, Loaded), LaunchError> {
        let file = study.parse()?;
        if matches!(file.data.source, Source::Mnist | Source::Synthetic) {
            study.validate(InputShape::MNIST)?;
        }
        let loaded = self.load(&file.data, file.train.seed, listener)?;
        let spec = study.validate(input_shape(&loaded.dataset))?;
        Ok((spec, loaded))
    }

    /// Loads the images that `[data]` asks for.
    ///
    /// # Errors
    ///
    /// When they cannot be had.
    pub fn load(
        &self,
        spec: &DataSpec,
        seed: u64,
        listener: &mut dyn LaunchListener,
    ) -> Result<Loaded, DataError> {
        let request = DataRequest {
            source: match (spec.source, &spec.path) {
                (Source::Mnist, _) => data::Source::Mnist,
                (Source::Idx, path) => data::Source::Idx { path: path.clone().unwrap_or_default() },
                (Source::Synthetic, _) => data::Source::Synthetic,
                (Source::Own, _) => {
                    let problem = "the images come from the program that ran the study (`source = \"own\"`): only that program can hand them over, with `Launch::data`";
                    return Err(DataError::Request { problem: problem.into() });
                }
            },
            fallback: match spec.fallback {
                Fallback::Synthetic => data::Fallback::Synthetic,
                Fallback::None => data::Fallback::None,
            },
            sizes: data::SplitSizes { validation: spec.validation, train: spec.train, test: None },
            places: Places::usual(self.data.clone(), |name| std::env::var_os(name)),
            download: self.download.clone(),
            seed,
        };
        data::load(&request, &mut |progress| listener.data(progress))
    }

    /// Sets the number of threads that compute.
    ///
    /// # Errors
    ///
    /// When `BURGEON_CPU` asks for an instruction set that is not there.
    pub fn start_threads(&self) -> Result<usize, LaunchError> {
        let available = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or_else(available);
        // An earlier study of the same process has set it already; its threads go on.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        Executor::configure_global(Some(threads))?;
        Ok(threads)
    }
}
