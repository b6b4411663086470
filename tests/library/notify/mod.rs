//! Messages about runs: into the outbox, out of it, and what servers make of that.

mod mail;
mod webhook;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use burgeon::spec::NotifySpec;
use burgeon::unstable::ledger::RunFolder;
use burgeon::unstable::notify::{
    Announcement, AnnouncementKind, Existing, Flush, Flushed, MessageState, Messages, Outbox,
    StoredMessage,
};
use burgeon::unstable::report::Figures;
use burgeon::unstable::sys::files::RealFiles;

/// An empty run, with something to tell about it.
struct Run {
    folder: tempfile::TempDir,
    notify: NotifySpec,
}

impl Run {
    /// `notify` is the content of `[notify]`.
    fn new(notify: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("[model]\nlayers = []\n[notify]\n{notify}\n");
        fs::write(folder.path().join("study.toml"), &text).unwrap();
        let study = burgeon::spec::StudyDocument::new("study.toml", text);
        study.check().unwrap();
        Self { folder, notify: study.parse().unwrap().notify }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn outbox(&self) -> Outbox {
        Outbox::of(&RunFolder::open(Arc::new(RealFiles), self.path()).unwrap())
    }

    fn queue(&self) {
        self.outbox().queue(&announcement(), &self.notify, Existing::Keep).unwrap();
    }

    /// Tries what waits, each message as long as that.
    fn send_within(&self, each: Duration) -> Flushed {
        let flush = Flush::new(Messages::Waiting).within(each, Duration::MAX);
        flush.run(&self.outbox(), &mut || true).unwrap()
    }

    fn send(&self) -> Flushed {
        self.send_within(Duration::from_secs(30))
    }

    fn messages(&self) -> Vec<StoredMessage> {
        self.outbox().messages().unwrap()
    }

    fn states(&self) -> Vec<MessageState> {
        self.messages().iter().map(|message| message.state).collect()
    }

    /// All that is in the files of the outbox.
    fn kept(&self) -> String {
        let entries = fs::read_dir(self.outbox().folder()).unwrap();
        let read = |entry: fs::DirEntry| fs::read(entry.path()).unwrap();
        let contents: Vec<u8> = entries.flat_map(|entry| read(entry.unwrap())).collect();
        String::from_utf8_lossy(&contents).into_owned()
    }
}

fn announcement() -> Announcement {
    Announcement {
        key: "finished-0".into(),
        origin: b"this run".to_vec(),
        what: AnnouncementKind::Rejected,
        at: "2026-01-02T03:04:05Z".parse().unwrap(),
        study: "seedling".into(),
        run: "/runs/seedling-0001".into(),
        measured: "on validation images".into(),
        sentence: "Rejected: 70 % <is> below 80 % & more.".into(),
        rows: vec![("validation accuracy".into(), "70.00 %".into())],
        figures: Figures {
            best_trial: Some(2),
            validation_accuracy: Some(0.7),
            test_accuracy: None,
            parameters: Some(1370),
            trials: 2,
            seconds: 12.5,
        },
        threshold: Some(0.8),
        curves: vec![vec![0.3, 0.6], vec![0.65, 0.7]],
        page: Some("<!DOCTYPE html><p>the report</p>".into()),
        lists: Vec::new(),
        programs: Vec::new(),
    }
}
