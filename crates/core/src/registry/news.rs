//! Tells people what becomes of the model in production, as `[notify]` of `registry.toml` says.

use jiff::Timestamp;

use super::error::RegistryError;
use super::folder::Registry;
use crate::notify::{Announcement, AnnouncementKind, BuildVerdict, Existing, Outbox};

/// An event of a registry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct News {
    /// Tells it from all other events of the registry.
    pub key: String,
    /// What happened.
    pub what: AnnouncementKind,
    /// When.
    pub at: Timestamp,
    /// What happened and why, in a sentence or more.
    pub why: String,
    /// The facts, as names and values.
    pub rows: Vec<(&'static str, String)>,
    /// Lists, each under a heading.
    pub lists: Vec<(&'static str, Vec<String>)>,
    /// The accuracy on held-out images, 0..=1.
    pub accuracy: Option<f64>,
}

impl Registry {
    /// The messages about it.
    pub fn outbox(&self) -> Outbox {
        Outbox::in_folder(self.files.clone(), &self.folder)
    }

    /// Puts the messages about an event into the outbox, unless they are there already. When this returns, they are on
    /// disk.
    ///
    /// # Errors
    ///
    /// If the settings are wrong, or a message cannot be written.
    pub fn tell(&self, news: &News) -> Result<(), RegistryError> {
        let settings = self.settings()?;
        if settings.notify.mail.is_none() && settings.notify.webhook.is_empty() {
            return Ok(());
        }
        let News { key, what, at, why, rows, lists, accuracy } = news;
        let folder = std::path::absolute(&self.folder).unwrap_or(self.folder.clone());
        let lists: Vec<(&str, &[String])> =
            lists.iter().map(|(heading, lines)| (*heading, &lines[..])).collect();
        let announcement = Announcement::of_build(&BuildVerdict {
            key,
            what: *what,
            at: *at,
            origin: &folder.display().to_string(),
            name: &settings.name,
            why,
            rows,
            accuracy: *accuracy,
            threshold: None,
            folder: &folder,
            report: None,
            lists: &lists,
            program: None,
        });
        Ok(self.outbox().queue(&announcement, &settings.notify, Existing::Keep)?)
    }
}
