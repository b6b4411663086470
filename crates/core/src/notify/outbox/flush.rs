//! Sending what waits.

use std::thread::sleep;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::entry::{Entry, Target};
use super::stored::{MessageState, StoredMessage};
use super::{Outbox, OutboxError};
use crate::notify::attempt::{SendOutcome, Threads};
use crate::notify::{back_off, mail, webhook};
use crate::sys::lock::{LockError, LockRequest, RunLock};

/// How long a lock may be held by nobody that can be named before it counts as held.
const LOCK_COPIED: Duration = Duration::from_secs(1);

/// Which messages are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// Those whose time has come.
    Due,
    /// All that wait, whenever they were tried last.
    Waiting,
    /// Parked ones too.
    Parked,
}

/// How messages are sent.
#[derive(Debug, Clone)]
pub struct Flush {
    messages: Messages,
    each: Duration,
    whole: Duration,
    threads: Threads,
}

/// What came of sending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Taken over by a server now.
    pub sent: Vec<StoredMessage>,
    /// To be tried later.
    pub waiting: Vec<StoredMessage>,
    /// Refused for good, or damaged.
    pub parked: Vec<StoredMessage>,
}

/// Longest try of one message.
const EACH: Duration = Duration::from_secs(60);
/// Longest that the end of a study waits for its messages.
const AT_THE_END: Duration = Duration::from_secs(10);

impl Flush {
    /// Sends these messages, a minute at most each.
    pub fn new(messages: Messages) -> Self {
        Self { messages, each: EACH, whole: Duration::MAX, threads: Threads::default() }
    }

    /// The same with other longest times: for each try, and for all of them.
    #[must_use]
    pub fn within(self, each: Duration, whole: Duration) -> Self {
        Self { each, whole, ..self }
    }

    /// Sends what is due, ten seconds at most in all: for the end of a study.
    pub fn at_the_end() -> Self {
        Self { whole: AT_THE_END, ..Self::new(Messages::Due) }
    }

    /// Sends the messages of a run as long as `keep_going` says so.
    ///
    /// # Errors
    ///
    /// If another process is doing that, or the folder cannot be read or written. That a message cannot be
    /// sent is no error of this kind.
    pub fn run(
        &self,
        outbox: &Outbox,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Flushed, OutboxError> {
        let mut flushed = Flushed::default();
        let names = outbox.names()?;
        if !names.iter().any(|name| self.is_wanted(outbox, name)) {
            for name in &names {
                flushed.add(outbox, name);
            }
            return Ok(flushed);
        }
        let lock = lock(outbox, keep_going)?;
        let since = Instant::now();
        for name in &names {
            let left = self.whole.saturating_sub(since.elapsed());
            // Read under the lock: another process may have sent it meanwhile.
            match outbox.entry(name) {
                Ok(Some(entry))
                    if self.wants(&entry, Timestamp::now()) && !left.is_zero() && keep_going() =>
                {
                    lock.fence().check().map_err(|error| OutboxError::Lock(error.into()))?;
                    let entry = self.attempt(outbox, name, entry, left, keep_going)?;
                    match entry.state {
                        MessageState::Sent => flushed.sent.push(entry.stored(name)),
                        _ => flushed.add(outbox, name),
                    }
                }
                _ => flushed.add(outbox, name),
            }
        }
        Ok(flushed)
    }

    fn is_wanted(&self, outbox: &Outbox, name: &str) -> bool {
        matches!(outbox.entry(name), Ok(Some(entry)) if self.wants(&entry, Timestamp::now()))
    }

    fn wants(&self, entry: &Entry, now: Timestamp) -> bool {
        let is_due = entry.next_at.is_none_or(|at| at <= now);
        match (entry.state, self.messages) {
            (MessageState::Sent | MessageState::Damaged, _) => false,
            (MessageState::Parked, messages) => messages == Messages::Parked,
            (MessageState::Waiting, Messages::Due) => is_due,
            (MessageState::Waiting, Messages::Waiting | Messages::Parked) => true,
        }
    }

    /// Tries a message once, and records what came of it.
    fn attempt(
        &self,
        outbox: &Outbox,
        name: &str,
        mut entry: Entry,
        left: Duration,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Entry, OutboxError> {
        let limit = self.each.min(left);
        let tried = match outbox.content(name, &entry) {
            Ok(content) => {
                let entry = entry.clone();
                self.threads.run(limit, keep_going, move |tell| {
                    transmit(&entry, &content, limit, tell);
                })
            }
            Err(why) => SendOutcome::Refused(why),
        };
        let now = Timestamp::now();
        let tries = entry.attempts.saturating_add(1);
        let (state, error) = match tried {
            // Not counted: nobody knows what would have come of it.
            SendOutcome::Stopped => return Ok(entry),
            SendOutcome::Sent => (MessageState::Sent, None),
            SendOutcome::Retry(why) if entry.is_given_up(tries, now) => {
                (MessageState::Parked, Some(format!("not accepted for five days: {why}")))
            }
            SendOutcome::Retry(why) => (MessageState::Waiting, Some(why)),
            SendOutcome::Refused(why) => (MessageState::Parked, Some(why)),
        };
        entry.attempts = tries;
        entry.tried_at = Some(now);
        entry.next_at = match state {
            MessageState::Waiting => {
                now.checked_add(back_off::delay(&entry.id, entry.attempts)).ok()
            }
            _ => None,
        };
        (entry.state, entry.error) = (state, error);
        outbox.write_entry(name, &entry)?;
        if entry.state == MessageState::Sent {
            // After the entry, as it is sent otherwise. If it cannot be removed, it only takes room.
            let _ = outbox.files.remove_file(&outbox.content_path(name, &entry.target));
        }
        Ok(entry)
    }
}

fn transmit(entry: &Entry, content: &[u8], limit: Duration, tell: &dyn Fn(SendOutcome)) {
    match &entry.target {
        Target::Mail { settings, to } => mail::send(settings, to, content, limit, tell),
        Target::Webhook(settings) => {
            let about = (entry.id.as_str(), entry.event.name());
            let now = Timestamp::now().as_second();
            webhook::send(settings, about, content, now, limit, tell);
        }
    }
}

impl Flushed {
    /// Adds a message that was not sent now.
    fn add(&mut self, outbox: &Outbox, name: &str) {
        let message = match outbox.entry(name) {
            Ok(Some(entry)) => entry.stored(name),
            Ok(None) => return,
            Err(why) => super::stored::damaged(name, why),
        };
        match message.state {
            MessageState::Sent => {}
            MessageState::Waiting => self.waiting.push(message),
            MessageState::Parked | MessageState::Damaged => self.parked.push(message),
        }
    }

    /// Whether nothing is left to be sent.
    pub fn is_all_sent(&self) -> bool {
        self.waiting.is_empty() && self.parked.is_empty()
    }
}

/// Locks the outbox. A child that this process has just started holds a copy of the lock until it runs its own program,
/// so that a lock without a living holder is tried again for a moment.
fn lock(outbox: &Outbox, keep_going: &mut dyn FnMut() -> bool) -> Result<RunLock, OutboxError> {
    let request = LockRequest::new("sending messages of [notify]");
    let since = Instant::now();
    loop {
        match RunLock::acquire(&outbox.files, &outbox.folder, &request) {
            Err(LockError::Locked { holder: None, .. })
                if since.elapsed() < LOCK_COPIED && keep_going() =>
            {
                sleep(Duration::from_millis(20));
            }
            locked => return Ok(locked?),
        }
    }
}
