//! The versions that are loaded: which one answers, and which one answers beside it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use burgeon_drift::Reference;

use super::model::{Model, Pixels};
use crate::registry::{Calibration, SelfTest};

/// A version that is loaded and has passed its self-test.
pub(super) struct Served {
    /// Its name in answers.
    pub(super) version: String,
    /// SHA-256 of its manifest; empty for a model that is in no registry.
    pub(super) manifest: String,
    pub(super) model: Arc<dyn Model>,
    pub(super) calibration: Option<Calibration>,
    /// What the images were like that it was accepted on, if that is known.
    pub(super) reference: Option<Arc<Reference>>,
}

/// Which versions are loaded.
#[derive(Default)]
pub(super) struct Slots(RwLock<Loaded>);

#[derive(Default, Clone)]
struct Loaded {
    production: Option<Arc<Served>>,
    /// The one before, kept for a rollback.
    before: Option<Arc<Served>>,
    candidate: Option<Arc<Served>>,
    refused: BTreeMap<&'static str, String>,
}

impl Served {
    /// Images that go through the whole model: those of the self-test, or one that is black.
    pub(super) fn test(&self, self_test: Option<&SelfTest>) -> Result<(), String> {
        let len: usize = self.model.shape().iter().product();
        let classes = self.model.classes().len();
        let Some(self_test) = self_test else {
            let logits = self.model.logits(&[Pixels::Bytes(&vec![0; len])])?;
            let is_sound = logits.len() == classes && logits.iter().all(|logit| logit.is_finite());
            return is_sound.then_some(()).ok_or_else(|| "it gives no numbers".into());
        };
        let pixels = self_test.images(len)?;
        let logits = self.model.logits(&[Pixels::Bytes(&pixels)])?;
        self_test.check(&probabilities(&logits, classes))
    }

    /// What logits are divided by before a confidence is read off them.
    pub(super) fn temperature(&self) -> f64 {
        self.calibration.as_ref().map_or(1.0, |calibration| calibration.temperature)
    }
}

impl Slots {
    pub(super) fn production(&self) -> Option<Arc<Served>> {
        self.read().production
    }

    pub(super) fn candidate(&self) -> Option<Arc<Served>> {
        self.read().candidate
    }

    /// One that is loaded with this manifest, in whichever role.
    pub(super) fn loaded(&self, version: &str, manifest: &str) -> Option<Arc<Served>> {
        let Loaded { production, before, candidate, .. } = self.read();
        [production, before, candidate]
            .into_iter()
            .flatten()
            .find(|served| served.version == version && served.manifest == manifest)
    }

    /// Exchanges the version that answers.
    pub(super) fn set_production(&self, served: Arc<Served>) {
        let mut loaded = self.0.write().unwrap_or_else(PoisonError::into_inner);
        loaded.before = loaded.production.replace(served);
    }

    pub(super) fn set_candidate(&self, served: Option<Arc<Served>>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).candidate = served;
    }

    /// Why what an alias points to does not serve, by alias.
    pub(super) fn refused(&self) -> BTreeMap<&'static str, String> {
        self.read().refused
    }

    /// Tells why what an alias points to does not serve, or that it does.
    pub(super) fn set_refused(&self, alias: &'static str, why: Option<String>) {
        let mut loaded = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => loaded.refused.insert(alias, why),
            None => loaded.refused.remove(alias),
        };
    }

    fn read(&self) -> Loaded {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The softmax of each row of `[images, classes]`.
pub(super) fn probabilities(logits: &[f32], classes: usize) -> Vec<f32> {
    let mut shares = Vec::with_capacity(logits.len());
    for row in logits.chunks_exact(classes.max(1)) {
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let from = shares.len();
        shares.extend(row.iter().map(|logit| (logit - most).exp()));
        let sum: f32 = shares[from..].iter().sum();
        shares[from..].iter_mut().for_each(|share| *share /= sum);
    }
    shares
}
