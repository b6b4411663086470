//! The rows of the tables.

use serde::Serialize;

/// An enum that is stored as a word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All values.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word that is stored and shown.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(value: rusqlite::types::ValueRef) -> rusqlite::types::FromSqlResult<Self> {
                Self::from_word(value.as_str()?).ok_or(rusqlite::types::FromSqlError::InvalidType)
            }
        }

        impl rusqlite::types::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.word().into())
            }
        }
    };
}

words! {
    /// The state of a build.
    BuildState {
        /// It waits for its turn.
        Queued = "queued",
        /// It runs, or will resume after a restart of the service.
        Running = "running",
        /// It has its verdict.
        Ended = "ended",
    }
}

words! {
    /// The verdict of a build.
    Verdict {
        /// A model passed the gate and was published.
        Accepted = "accepted",
        /// Training ended, and no model passed.
        NotPassed = "not-passed",
        /// The build failed with an error.
        Failed = "failed",
        /// A newer push replaced it in the queue.
        Superseded = "superseded",
        /// A user stopped it.
        Cancelled = "cancelled",
    }
}

words! {
    /// The stages of a build, in their order.
    StageName {
        /// The commit is fetched and checked out.
        Pull = "pull",
        /// What can be trained is detected.
        Detect = "detect",
        /// It is trained; a study is grown until it passes its gate or gives up.
        Train = "train",
        /// Its accuracy is compared with the gate.
        Judge = "judge",
        /// A program that missed the gate is converted into a study, which is trained and grown.
        Grow = "grow",
        /// The grown network is exported as a program, whose accuracy is compared with the gate.
        Check = "check",
        /// The accepted model replaces the one before it.
        Publish = "publish",
        /// Messages are queued.
        Notify = "notify",
    }
}

impl StageName {
    /// Whether only builds that grow a program have it.
    pub fn is_of_growth(self) -> bool {
        matches!(self, Self::Grow | Self::Check)
    }
}

words! {
    /// The state of a stage.
    StageState {
        /// It is running.
        Running = "running",
        /// It was completed.
        Done = "done",
        /// It failed, which ended the build.
        Failed = "failed",
    }
}

words! {
    /// Why a build was started.
    Cause {
        /// A webhook announced a push.
        Push = "push",
        /// Polling found a commit without a build.
        Poll = "poll",
        /// A user requested it.
        Asked = "asked",
        /// A user retried an ended build.
        Retry = "retry",
    }
}

words! {
    /// The outcome of a delivery.
    DeliveryOutcome {
        /// It started a build.
        Queued = "queued",
        /// The commit already has a build.
        Known = "known",
        /// It concerns no branch that is built.
        Ignored = "ignored",
        /// It is not genuine.
        Refused = "refused",
    }
}

/// A build.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BuildRow {
    /// Its number.
    pub id: i64,
    /// The repository's name.
    pub repository: String,
    /// The branch.
    pub branch: String,
    /// The commit; empty until it is known.
    #[serde(rename = "commit")]
    pub commit_id: String,
    /// Why it was started.
    pub cause: Cause,
    /// Its state.
    pub state: BuildState,
    /// Its verdict, once it has ended.
    pub verdict: Option<Verdict>,
    /// Why, in a sentence.
    pub why: String,
    /// The commit's author.
    pub author: String,
    /// The first line of the commit's message.
    pub message: String,
    /// The accuracy on held-out data, 0..=1.
    pub accuracy: Option<f64>,
    /// The accuracy of the gate, 0..=1.
    pub threshold: Option<f64>,
    /// The run folder, relative to the build's folder.
    pub run: Option<String>,
    /// When it was queued, in milliseconds since 1970.
    pub created: i64,
    /// When it began.
    pub started: Option<i64>,
    /// When it ended.
    pub ended: Option<i64>,
    /// Whether a user asked to stop it.
    pub stop_asked: bool,
    /// The newer build that superseded it.
    pub superseded_by: Option<i64>,
    /// How often it was started: more than once if the service was restarted.
    pub starts: i64,
    /// How many verdicts it had: more than one if it was resumed after a failure.
    pub verdicts: i64,
    /// Whether the messages about it are in the outbox.
    pub told: bool,
    /// Whether its files were removed.
    pub cleared: bool,
}

/// A stage of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageRow {
    /// Its name.
    pub name: StageName,
    /// Its state.
    pub state: StageState,
    /// When it began, in milliseconds since 1970.
    pub started: i64,
    /// When it ended.
    pub ended: Option<i64>,
    /// A note on its outcome.
    pub note: String,
}
