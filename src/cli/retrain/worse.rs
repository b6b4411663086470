//! Whether a version that was retrained is worse than the one before it, on what came since.

use super::Retrainer;
use super::images::Feedback;
use super::round::Round;
use super::train::right;
use crate::cli::error::CliError;
use crate::cli::launch;
use crate::cli::registry::writer;
use crate::record::paired::Discordant;
use crate::registry::{Alias, PRODUCTION, Record};
use crate::retrain::{RetrainSettings, Retraining, Selected, bounded};
use crate::study::Growth;

/// The numbers of labels after which both are compared; after the last, the version is trusted. The level is divided
/// between them.
const LOOKS: [usize; 6] = [25, 50, 100, 200, 400, 800];

impl Retrainer<'_> {
    /// Compares both on the labelled images that the new one has answered, and rolls it back if the one before has more of
    /// them right by more than chance.
    pub(super) fn roll_back_if_worse(
        &mut self,
        settings: &RetrainSettings,
        alias: &Alias,
        decided: &[(Record, Retraining)],
        feedback: &Feedback,
    ) -> Result<Option<Record>, CliError> {
        let Some((promoted, retraining)) = Round::of_version(decided, alias.version) else {
            return Ok(None);
        };
        let Some(before) = promoted.from.filter(|_| promoted.record == alias.record) else {
            return Ok(None);
        };
        let version = alias.version.to_string();
        let mut labels = feedback.labels.clone();
        labels.retain(|label| label.version == version);
        labels.sort_by_key(|label| label.at);
        let Some(&look) = LOOKS.iter().rev().find(|look| labels.len() >= **look) else {
            return Ok(None);
        };
        if self.worse_seen.replace((alias.record, look)) == Some((alias.record, look)) {
            return Ok(None);
        }
        labels.truncate(look);
        let images = Feedback { labels }.images(&self.registry)?;
        let taken = bounded(&images.labels, settings.source_max);
        if taken.len() < LOOKS[0] {
            return Ok(None);
        }
        let [images, ..] = images.sets(&Selected { train: taken, ..Selected::default() }, None);
        let own = launch(self.common, Growth::Off);
        let workers = own.workers()?;
        let _entered = workers.enter();
        let device = own.device.open()?;
        let of = |version| right(&self.registry.version_folder(version), &device, &images);
        let compared = Discordant::of(&of(before)?, &of(alias.version)?);
        let Discordant { only_first, only_second } = compared;
        let level = self.registry.settings()?.promotion.level / LOOKS.len() as f64;
        let p = compared.p_value();
        if only_first <= only_second || p >= level {
            return Ok(None);
        }
        let why = format!(
            "of {} labelled images that came since, {only_first} are right in version {before} alone, {only_second} in version {} alone (McNemar's exact test, p = {p:.4})",
            images.set.images, alias.version
        );
        let writer = writer(&self.registry, "burgeon retrain")?;
        let writer = writer.for_retraining(Retraining { why, ..retraining.clone() }, None);
        Ok(Some(writer.roll_back(PRODUCTION)?.record))
    }
}
