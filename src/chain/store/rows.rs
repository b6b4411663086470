//! What the tables hold, typed.

use serde::Serialize;

/// An enum that is kept as a word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As it is kept and shown.
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
    /// Where a build stands.
    BuildState {
        /// It waits for its turn.
        Queued = "queued",
        /// It runs, or is about to go on after the service was started again.
        Running = "running",
        /// It has its verdict.
        Ended = "ended",
    }
}

words! {
    /// What came of a build.
    Verdict {
        /// A model passed the gate and is published.
        Accepted = "accepted",
        /// Training ended, and no model passed.
        NotPassed = "not-passed",
        /// Something went wrong: the build broke.
        Failed = "failed",
        /// A newer push came before its turn.
        Superseded = "superseded",
        /// Somebody stopped it.
        Cancelled = "cancelled",
    }
}

words! {
    /// The stages of a build, in their order.
    StageName {
        /// The commit is fetched and checked out.
        Pull = "pull",
        /// What it holds is looked at.
        Detect = "detect",
        /// It is trained, and grown until it passes its gate or gives up.
        Train = "train",
        /// Its accuracy is read and held to the gate.
        Judge = "judge",
        /// The program that missed the gate becomes a study, which is trained and grown.
        Grow = "grow",
        /// The grown network is written back as a program, which is run and held to the gate.
        Check = "check",
        /// The accepted model replaces the one before it.
        Publish = "publish",
        /// People and the repository's service are told.
        Notify = "notify",
    }
}

impl StageName {
    /// Whether builds have it only where a program is grown.
    pub fn is_of_growth(self) -> bool {
        matches!(self, Self::Grow | Self::Check)
    }
}

words! {
    /// Where a stage stands.
    StageState {
        /// It began.
        Running = "running",
        /// It ended well.
        Done = "done",
        /// The build ended in it.
        Failed = "failed",
    }
}

words! {
    /// Why a build was started.
    Cause {
        /// A webhook told of a push.
        Push = "push",
        /// The branch was looked up and had a commit that was never built.
        Poll = "poll",
        /// Somebody asked for it.
        Asked = "asked",
        /// Somebody asked for an ended one again.
        Retry = "retry",
    }
}

words! {
    /// What came of a delivery.
    DeliveryOutcome {
        /// It started a build.
        Queued = "queued",
        /// The commit is built or waits already.
        Known = "known",
        /// It concerns nothing that is built.
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
    /// Where it stands.
    pub state: BuildState,
    /// What came of it, once it ended.
    pub verdict: Option<Verdict>,
    /// Why, in a sentence.
    pub why: String,
    /// The commit's author.
    pub author: String,
    /// The first line of the commit's message.
    pub message: String,
    /// The accuracy on held-out data, 0..=1.
    pub accuracy: Option<f64>,
    /// The accuracy that the gate demands, 0..=1.
    pub threshold: Option<f64>,
    /// The run folder, relative to the build's folder.
    pub run: Option<String>,
    /// When it was queued, in milliseconds since 1970.
    pub created: i64,
    /// When it began.
    pub started: Option<i64>,
    /// When it ended.
    pub ended: Option<i64>,
    /// Whether somebody asked to stop it.
    pub stop_asked: bool,
    /// The newer build that took its place.
    pub superseded_by: Option<i64>,
    /// How often it was started: more than once if the service ended in between.
    pub starts: i64,
    /// How many verdicts it had: more than one if somebody let it go on after it had failed.
    pub verdicts: i64,
    /// Whether the messages about it are in the outbox.
    pub told: bool,
    /// Whether its files were removed.
    pub cleared: bool,
}

/// A stage of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageRow {
    /// Which.
    pub name: StageName,
    /// Where it stands.
    pub state: StageState,
    /// When it began, in milliseconds since 1970.
    pub started: i64,
    /// When it ended.
    pub ended: Option<i64>,
    /// What came of it.
    pub note: String,
}
