//! `burgeon serve RUN` and `burgeon serve --registry DIR`: predictions, computed by burgeon's own networks.

use std::path::Path;
use std::sync::Arc;

use burgeon_drift::{Reference, Settings};
use burgeon_ink::Invert;
use burgeon_pixels::Picture;

use super::args::{Common, ServeArguments};
use super::error::CliError;
use super::exit::Exit;
use super::launch;
use super::output::Output;
use crate::chain::Tls;
use crate::drift::read_reference;
use crate::model::{Classifier, OpenDevice, SavedModel, WEIGHTS_FILE};
use crate::registry::{Registry, is_model_name};
use crate::serve::TokenFiles;
use crate::serve::predict::{
    Engine, Limits, Model, Pixels, Predicting, Prepared, Source, Watching, serve_predictions,
};
use crate::study::{Growth, LaunchError};
use crate::sys::error_chain;
use crate::sys::files::real_files;
use crate::sys::signals::{StopFlag, StopReason};
use crate::train::Workers;

/// Where a server listens unless it is told.
const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 8437);
/// What the log of requests takes where no registry says how much.
const LOG_BYTES: u64 = 100_000_000;
const LOG_DAYS: u64 = 30;

/// Serves predictions until it is stopped.
pub(super) fn serve(
    arguments: &ServeArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let settings = launch(common, Growth::Off);
    let device = settings.device.open()?;
    let threads = settings.workers()?.count();
    let predicting = predicting(arguments, threads)?;
    let stop = StopFlag::on_signals().map_err(CliError::Signals)?;
    let model = predicting.model.clone();
    let scheme = if predicting.tls.is_some() { "https" } else { "http" };
    let engine: Arc<dyn Engine> = Arc::new(Networks { device });
    serve_predictions(predicting, engine, &stop, &mut |address| {
        output.print(&format!("{model}; {scheme}://{address}/"));
    })?;
    Ok(match stop.requested() {
        Some(StopReason::Signal(signal)) => Exit::Of(signal.exit_code()),
        _ => Exit::Success,
    })
}

fn predicting(arguments: &ServeArguments, threads: usize) -> Result<Predicting, CliError> {
    let own = &arguments.predictions;
    let listen = arguments.listen.unwrap_or(ADDRESS.into());
    let tokens = TokenFiles {
        predict: own.predict_token_file.clone(),
        feedback: own.feedback_token_file.clone(),
        read: own.read_token_file.clone(),
        change: own.change_token_file.clone(),
    };
    if !listen.ip().is_loopback() && tokens == TokenFiles::default() {
        return Err(CliError::OpenToAll { address: listen });
    }
    let (model, source, requests, log_bytes, log_days, gate) = match (&own.registry, &own.run) {
        (Some(folder), _) => {
            let files = real_files().map_err(LaunchError::from)?;
            let registry = Registry::open(files, folder)?;
            let settings = registry.settings()?;
            let requests = own.requests.clone().unwrap_or_else(|| registry.requests());
            let keep = settings.keep;
            let (bytes, days) = (keep.log_size.0, keep.log_days);
            let gate = settings.promotion.accuracy;
            (settings.name, Source::Registry(registry), Some(requests), bytes, days, gate)
        }
        (None, Some(run)) => {
            let saved = SavedModel::open(run)?;
            let study = saved.study.parse()?;
            let (study, gate) = (study.name, study.gate.accuracy);
            let name = if is_model_name(&study) { study } else { "model".into() };
            let folder = std::path::absolute(run).unwrap_or_else(|_| run.clone());
            let version = folder.file_name().map(|name| name.to_string_lossy().into_owned());
            let version = version.filter(|name| is_model_name(name)).unwrap_or("1".into());
            let source = Source::Folder { folder: saved.folder, version };
            (name, source, own.requests.clone(), LOG_BYTES, LOG_DAYS, gate)
        }
        (None, None) => return Err(CliError::NothingToServe),
    };
    if own.abstain.is_some() && matches!(source, Source::Folder { .. }) {
        return Err(CliError::NotCalibrated);
    }
    if own.keep_images > 0 && requests.is_none() {
        return Err(CliError::NoRequestsFolder);
    }
    let settings = Settings { window: own.window, run_time: own.run_time, ..Settings::default() };
    let watching =
        (!own.no_drift).then_some(Watching { settings, gate: (gate > 0.0).then_some(gate) });
    let tls = own.tls_certificate.clone().zip(own.tls_key.clone());
    let tls = tls.map(|(certificate_file, key_file)| Tls { certificate_file, key_file });
    Ok(Predicting {
        model,
        source,
        listen,
        tls,
        tokens,
        threads,
        limits: Limits {
            body_bytes: own.body_max.0 as usize,
            pixels: own.pixels_max,
            queue: own.queue,
            connections: own.connections,
        },
        abstain: own.abstain,
        requests,
        keep_images: own.keep_images,
        log_bytes,
        log_days,
        watching,
    })
}

/// Loads burgeon's networks onto a device.
struct Networks {
    device: OpenDevice,
}

impl Engine for Networks {
    fn model_file(&self) -> &'static str {
        WEIGHTS_FILE
    }

    fn load(&self, folder: &Path) -> Result<Arc<dyn Model>, String> {
        let saved = SavedModel::open(folder).map_err(|error| error_chain(&error))?;
        let classifier =
            saved.classifier(&self.device.device).map_err(|error| error_chain(&error))?;
        let preparation = classifier.preparation();
        let shape = [preparation.channels.count(), preparation.height, preparation.width];
        let study = saved.study.parse().map_err(|error| error_chain(&error))?;
        Ok(Arc::new(Network { shape, classifier, takes_any_size: study.data.source.is_framed() }))
    }

    fn reference(&self, folder: &Path) -> Result<Option<Arc<Reference>>, String> {
        let files = real_files().map_err(|error| error_chain(&error))?;
        let reference = read_reference(&*files, folder).map_err(|error| error_chain(&error))?;
        Ok(reference.map(Arc::new))
    }

    fn with_compute_thread(&self, work: &mut dyn FnMut()) -> Result<(), String> {
        // Several such threads compute at the same time, each alone.
        let workers = Workers::new(Some(1)).map_err(|error| error_chain(&error))?;
        let _entered = workers.enter();
        work();
        Ok(())
    }
}

struct Network {
    shape: [usize; 3],
    classifier: Classifier,
    /// Whether its images had different sizes, so that the size of a picture tells nothing.
    takes_any_size: bool,
}

impl Model for Network {
    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn classes(&self) -> &[String] {
        self.classifier.classes()
    }

    fn logits(&self, batch: &[Pixels]) -> Result<Vec<f32>, String> {
        let normalization = self.classifier.preparation().normalization();
        let [channels, height, width] = self.shape;
        let plane = height * width;
        let values = |pixels: &Pixels| match pixels {
            Pixels::Units(bytes) => bytes.len() / 4,
            Pixels::Bytes(bytes) => bytes.len(),
        };
        let mut input = vec![0.0_f32; batch.iter().map(values).sum()];
        let mut rest = &mut input[..];
        for pixels in batch {
            let (own, after) = rest.split_at_mut(values(pixels));
            rest = after;
            for (at, out) in own.chunks_exact_mut(plane.max(1)).enumerate() {
                let (factor, term) = normalization.affine(at % channels.max(1));
                match pixels {
                    Pixels::Bytes(bytes) => {
                        for (value, &byte) in out.iter_mut().zip(&bytes[at * plane..]) {
                            *value = f32::from(byte) * factor + term;
                        }
                    }
                    Pixels::Units(bytes) => {
                        let units = bytes[4 * at * plane..].chunks_exact(4);
                        for (value, unit) in out.iter_mut().zip(units) {
                            let unit = f32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]]);
                            *value = unit * (255.0 * factor) + term;
                        }
                    }
                }
            }
        }
        self.classifier.logits_of_normalized(input).map_err(|error| error_chain(&error))
    }

    fn prepare(&self, file: &[u8], pixels_max: u64) -> Result<Prepared, String> {
        let sentence = |error: &dyn std::error::Error| format!("{}.", error_chain(error));
        let (height, width) = Picture::size_of(file).map_err(|error| sentence(&error))?;
        if width as u64 * height as u64 > pixels_max {
            return Err(format!(
                "The picture has {width}×{height} pixels; at most {pixels_max} are decoded."
            ));
        }
        let picture = Picture::decode_for(file, self.classifier.decode_size())
            .map_err(|error| sentence(&error))?;
        let pixels = self.classifier.preparation().prepare(&picture, Invert::Auto);
        let pixels = pixels.map_err(|error| sentence(&error))?;
        Ok(Prepared { pixels, size: (!self.takes_any_size).then_some([height, width]) })
    }
}
