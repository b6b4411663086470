//! Messages on disk: in the folder `outbox` of a run, two files each.
//!
//! ```text
//! outbox/finished-0.mail-0.eml          what is sent, byte for byte
//! outbox/finished-0.mail-0.entry.json   to whom, and what came of it so far
//! ```
//!
//! The content is written first; a message counts once it has its entry. When it is sent, its content is
//! removed and its entry stays, so that the same event is not told twice.

mod entry;
mod flush;
mod stored;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use self::entry::{Entry, Target};
pub use self::flush::{Flush, Flushed, Messages};
pub use self::stored::{MessageState, StoredMessage};
use super::announcement::Announcement;
use super::identity::identifier;
use super::mail::{MessageError, compose, message_id};
use super::webhook;
use crate::ledger::{LedgerError, RunFolder, RunFolderError};
use crate::spec::NotifySpec;
use crate::sys::faults::FaultError;
use crate::sys::files::{FileError, Files};
use crate::sys::lock::LockError;

/// Name of the folder in a run folder.
const FOLDER: &str = "outbox";
const ENTRY: &str = ".entry.json";
const ENTRY_BYTES_MAX: u64 = 256 << 10;
const CONTENT_BYTES_MAX: u64 = 64 << 20;

/// Why messages cannot be made, kept, read or sent.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The record of the run cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The run folder cannot be read.
    #[error(transparent)]
    Folder(#[from] RunFolderError),
    /// A message cannot be composed.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Another process is sending the messages of this run, or the outbox cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// An entry cannot be written as JSON.
    #[error("an entry of the outbox cannot be written")]
    Entry(#[source] serde_json::Error),
    /// `BURGEON_FAULT`, which only test builds read, is not a fault.
    #[error(transparent)]
    Fault(#[from] FaultError),
}

/// What happens to messages that are in the outbox already, and not sent yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// They are left as they are.
    Keep,
    /// Those that were made for other settings of `[notify]` are made anew, and tried at once.
    Adapt,
}

/// The messages of a run.
#[derive(Debug, Clone)]
pub struct Outbox {
    files: Arc<dyn Files>,
    folder: PathBuf,
}

impl Outbox {
    /// The outbox of a run, which may be empty.
    pub fn of(run: &RunFolder) -> Self {
        Self::in_folder(Arc::clone(run.files()), run.path())
    }

    /// The outbox in a folder of something else that is told of.
    pub fn in_folder(files: Arc<dyn Files>, folder: &Path) -> Self {
        Self { files, folder: folder.join(FOLDER) }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All its messages, by name.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read. Damaged entries are listed as such.
    pub fn messages(&self) -> Result<Vec<StoredMessage>, OutboxError> {
        let named = |name: String| {
            let message = match self.entry(&name) {
                Ok(Some(entry)) => entry.stored(&name),
                Ok(None) => return None,
                Err(why) => stored::damaged(&name, why),
            };
            Some(message)
        };
        Ok(self.names()?.into_iter().filter_map(named).collect())
    }

    /// Whether all messages about an event are there as these settings want them.
    pub(super) fn is_complete(
        &self,
        key: &str,
        notify: &NotifySpec,
        existing: Existing,
    ) -> Result<bool, OutboxError> {
        Ok(targets(notify).iter().all(|(channel, target)| {
            self.is_settled(&format!("{key}.{channel}"), target, existing)
        }))
    }

    fn is_settled(&self, name: &str, target: &Target, existing: Existing) -> bool {
        match self.entry(name) {
            Ok(Some(entry)) => {
                existing == Existing::Keep
                    || entry.state == MessageState::Sent
                    || entry.target == *target
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// Puts the messages about an event into the outbox. When this returns, they are on disk.
    ///
    /// # Errors
    ///
    /// If a message cannot be composed or written; those before it are kept.
    pub fn queue(
        &self,
        announcement: &Announcement,
        notify: &NotifySpec,
        existing: Existing,
    ) -> Result<(), OutboxError> {
        self.files.create_folders(&self.folder)?;
        let mut composed: Option<(String, Vec<u8>)> = None;
        for (channel, target) in targets(notify) {
            let name = format!("{}.{channel}", announcement.key);
            if self.is_settled(&name, &target, existing) {
                continue;
            }
            let (id, content) = match &target {
                Target::Mail { settings, .. } => match &composed {
                    Some(message) => message.clone(),
                    None => {
                        let id = message_id(announcement, settings)?;
                        composed.insert((id, compose(announcement, settings)?)).clone()
                    }
                },
                Target::Webhook(settings) => {
                    let id = identifier(&announcement.origin, &announcement.key, &channel);
                    let body = webhook::body(announcement, settings.template, &id);
                    (id, body)
                }
            };
            self.files.write_atomically(&self.content_path(&name, &target), &content)?;
            self.write_entry(&name, &Entry::new(id, announcement, target, &content))?;
        }
        Ok(())
    }

    /// Removes the entries of messages that were sent before a time.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read or an entry cannot be removed.
    pub fn forget_sent(&self, before: Timestamp) -> Result<(), OutboxError> {
        for name in self.names()? {
            if let Ok(Some(Entry { state: MessageState::Sent, tried_at: Some(at), .. })) =
                self.entry(&name)
                && at < before
            {
                self.files.remove_file(&self.entry_path(&name))?;
            }
        }
        Ok(())
    }

    /// The entry of a name; `None` if there is none, and what is wrong with it if it is damaged.
    fn entry(&self, name: &str) -> Result<Option<Entry>, String> {
        let path = self.entry_path(name);
        match self.files.read(&path, ENTRY_BYTES_MAX) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| error.to_string()),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(crate::sys::error_chain(&error)),
        }
    }

    fn write_entry(&self, name: &str, entry: &Entry) -> Result<(), OutboxError> {
        let text = serde_json::to_vec_pretty(entry).map_err(OutboxError::Entry)?;
        Ok(self.files.write_atomically(&self.entry_path(name), &text)?)
    }

    /// What is sent; what is wrong if it is missing or not what it was.
    fn content(&self, name: &str, entry: &Entry) -> Result<Vec<u8>, String> {
        let path = self.content_path(name, &entry.target);
        let content = self
            .files
            .read(&path, CONTENT_BYTES_MAX)
            .map_err(|error| crate::sys::error_chain(&error))?;
        match hex::encode(Sha256::digest(&content)) == entry.sha256 {
            true => Ok(content),
            false => Err(format!("{} is not what was written", path.display())),
        }
    }

    fn names(&self) -> Result<Vec<String>, OutboxError> {
        match self.files.list(&self.folder) {
            Ok(names) => {
                let name = |file: String| {
                    file.strip_suffix(ENTRY)
                        .filter(|name| !name.starts_with('.'))
                        .map(str::to_owned)
                };
                Ok(names.into_iter().filter_map(name).collect())
            }
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    fn entry_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{ENTRY}"))
    }

    fn content_path(&self, name: &str, target: &Target) -> PathBuf {
        self.folder.join(match target {
            Target::Mail { .. } => format!("{name}.eml"),
            Target::Webhook(_) => format!("{name}.body.json"),
        })
    }
}

/// Where messages go: each address of mail, and each webhook, by a name.
fn targets(notify: &NotifySpec) -> Vec<(String, Target)> {
    let mail = notify.mail.iter().flat_map(|mail| {
        mail.to.iter().enumerate().map(|(index, to)| {
            let target = Target::Mail { settings: mail.clone(), to: to.clone() };
            (format!("mail-{index}"), target)
        })
    });
    let webhooks = notify
        .webhook
        .iter()
        .enumerate()
        .map(|(index, webhook)| (format!("webhook-{index}"), Target::Webhook(webhook.clone())));
    mail.chain(webhooks).collect()
}
