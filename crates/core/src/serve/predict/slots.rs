//! The loaded versions: production, candidate and the previous one.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use burgeon_drift::Reference;

use super::model::{Model, Pixels};
use crate::registry::{Calibration, SelfTest};

/// A loaded version that has passed its self-test.
pub(super) struct Served {
    /// Its name in responses.
    pub(super) version: String,
    /// SHA-256 of its manifest; empty for a model that is not from a registry.
    pub(super) manifest: String,
    pub(super) model: Arc<dyn Model>,
    pub(super) calibration: Option<Calibration>,
    /// The reference for drift monitoring, if it has one.
    pub(super) reference: Option<Arc<Reference>>,
}

/// The loaded versions.
#[derive(Default)]
pub(super) struct Slots(RwLock<Loaded>);

#[derive(Default, Clone)]
struct Loaded {
    production: Option<Arc<Served>>,
    /// The previous version in production, for a fast rollback.
    before: Option<Arc<Served>>,
    candidate: Option<Arc<Served>>,
    refused: BTreeMap<&'static str, String>,
}

impl Served {
    /// Runs images through the whole model: those of the self-test, or a black one.
    pub(super) fn test(&self, self_test: Option<&SelfTest>) -> Result<(), String> {
        let len: usize = self.model.shape().iter().product();
        let classes = self.model.classes().len();
        let Some(self_test) = self_test else {
            let logits = self.model.logits(&[Pixels::Bytes(&vec![0; len])])?;
            let is_sound = logits.len() == classes && logits.iter().all(|logit| logit.is_finite());
            return is_sound
                .then_some(())
                .ok_or_else(|| "it returns values that are not numbers".into());
        };
        let pixels = self_test.images(len)?;
        let logits = self.model.logits(&[Pixels::Bytes(&pixels)])?;
        self_test.check(&probabilities(&logits, classes))
    }

    /// The temperature that logits are divided by before the softmax.
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

    /// The loaded version with this manifest, in any role.
    pub(super) fn loaded(&self, version: &str, manifest: &str) -> Option<Arc<Served>> {
        let Loaded { production, before, candidate, .. } = self.read();
        [production, before, candidate]
            .into_iter()
            .flatten()
            .find(|served| served.version == version && served.manifest == manifest)
    }

    /// Replaces the version in production.
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
