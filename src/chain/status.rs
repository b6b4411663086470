//! Tells the service that keeps a repository what came of a commit.
//!
//! - GitHub: "REST API endpoints for commit statuses", `POST /repos/OWNER/REPO/statuses/SHA`.
//! - Gitea and Forgejo: "Create a commit status", `POST /api/v1/repos/OWNER/REPO/statuses/SHA`.
//! - GitLab: "Set commit pipeline status", `POST /api/v4/projects/ID/statuses/SHA`.

use std::io::Read;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use ureq::http::HeaderMap;

use super::config::{Config, Forge, StatusSpec};
use super::store::{BuildRow, BuildState, Verdict};
use crate::notify::Secret;
use crate::sys::error_chain;

/// Longest time of a request.
const LIMIT: Duration = Duration::from_secs(20);
/// As much of an answer is read.
const ANSWER_BYTES_MAX: u64 = 4096;
/// As much of it is told.
const ANSWER_CHARS_MAX: usize = 200;
/// Longest wait that an answer can ask for.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// What came of telling a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// It was taken, or the service has it already.
    Taken,
    /// Not now.
    Later {
        /// Why.
        why: String,
        /// Whether other commits fare as this one does.
        whose: Whose,
        /// When the service wants to be asked again, if it says so.
        after: Option<Duration>,
    },
    /// The service does not take it, and will not.
    Never(String),
}

/// Whom a failure concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Everything that is told there.
    All,
    /// This commit.
    This,
}

/// What is to be told of a build; the same text stands in the record once it is told.
pub(super) fn wanted(build: &BuildRow) -> &'static str {
    match (build.state, build.verdict) {
        (BuildState::Ended, Some(Verdict::Accepted)) => "success",
        (BuildState::Ended, Some(Verdict::NotPassed)) => "failure",
        (BuildState::Ended, _) => "error",
        (BuildState::Queued | BuildState::Running, _) => "pending",
    }
}

/// The same in GitLab's words, which knows no errors, but what runs and what was cancelled.
fn gitlab_word(build: &BuildRow) -> &'static str {
    match (build.state, build.verdict) {
        (BuildState::Queued, _) => "pending",
        (BuildState::Running, _) => "running",
        (BuildState::Ended, Some(Verdict::Accepted)) => "success",
        (BuildState::Ended, Some(Verdict::Cancelled | Verdict::Superseded)) => "canceled",
        (BuildState::Ended, _) => "failed",
    }
}

/// A request, but for the token's value.
#[derive(Debug, PartialEq)]
struct Request {
    url: String,
    /// The header that holds the token, and what stands before it.
    login: (&'static str, &'static str),
    more: &'static [(&'static str, &'static str)],
    body: Value,
}

/// Tells the state of a build's commit.
pub(super) fn tell(config: &Config, status: &StatusSpec, build: &BuildRow) -> Told {
    let what = "the file with the token for commit statuses";
    let token = match Secret::read(&status.token_file, what) {
        Ok(token) => token,
        Err(why) => return Told::Later { why, whose: Whose::All, after: None },
    };
    let Request { url, login: (name, before), more, body } =
        request(config.public_url.as_deref(), status, build);
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(LIMIT))
        // Whoever answers with another address would get the token.
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("burgeon/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut request = agent
        .post(&url)
        .header("Content-Type", "application/json")
        .header(name, format!("{before}{}", token.expose()));
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    match request.send(body.to_string().as_bytes()) {
        Ok(answer) => {
            let (head, body) = answer.into_parts();
            let mut said = Vec::new();
            // What cannot be read is not told; the status says enough.
            let _ = body.into_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut said);
            let said = String::from_utf8_lossy(&said).replace(token.expose(), "…");
            let now = Timestamp::now().as_second();
            judged(status, build, head.status.as_u16(), &head.headers, &said, now)
        }
        Err(error) => Told::Later {
            why: error_chain(&error).replace(token.expose(), "…"),
            whose: Whose::All,
            after: None,
        },
    }
}

fn request(public_url: Option<&str>, status: &StatusSpec, build: &BuildRow) -> Request {
    let description = match build.accuracy {
        Some(accuracy) if accuracy.is_finite() => {
            format!("{:.2} % on held-out data", accuracy * 100.0)
        }
        _ => build.verdict.map_or("training", Verdict::word).to_owned(),
    };
    let mut body = json!({ "description": description });
    if let Some(url) = public_url {
        let url = format!("{}/builds/{}", url.trim_end_matches('/'), build.id);
        body["target_url"] = url.into();
    }
    let url = format!("{}/statuses/{}", api(status), build.commit_id);
    match status.kind {
        Forge::Github => {
            body["state"] = wanted(build).into();
            body["context"] = "burgeon".into();
            let more = &[
                ("Accept", "application/vnd.github+json"),
                ("X-GitHub-Api-Version", "2022-11-28"),
            ];
            Request { url, login: ("Authorization", "Bearer "), more, body }
        }
        Forge::Gitea => {
            body["state"] = wanted(build).into();
            body["context"] = "burgeon".into();
            let more = &[("Accept", "application/json")];
            Request { url, login: ("Authorization", "token "), more, body }
        }
        Forge::Gitlab => {
            body["state"] = gitlab_word(build).into();
            body["name"] = "burgeon".into();
            // Without it, GitLab guesses to which of the commit's branches the state belongs.
            body["ref"] = build.branch.as_str().into();
            let more = &[("Accept", "application/json")];
            Request { url, login: ("PRIVATE-TOKEN", ""), more, body }
        }
    }
}

/// The address of the repository's interface. GitLab takes the path of a project as one part of an address, in which
/// its slashes are written `%2F`; whoever writes them as they are means the same.
fn api(status: &StatusSpec) -> String {
    let api = status.api.trim_end_matches('/');
    match api.split_once("/projects/") {
        Some((before, project)) if status.kind == Forge::Gitlab => {
            format!("{before}/projects/{}", project.replace('/', "%2F"))
        }
        _ => api.to_owned(),
    }
}

/// What an answer means. `now` is in seconds since 1970.
fn judged(
    status: &StatusSpec,
    build: &BuildRow,
    code: u16,
    headers: &HeaderMap,
    said: &str,
    now: i64,
) -> Told {
    let shown: String = said
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(ANSWER_CHARS_MAX)
        .collect();
    let why = match shown.as_str() {
        "" => format!("{} answered {code}", status.api),
        shown => format!("{} answered {code}: {shown}", status.api),
    };
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let is_used_up =
        ["x-ratelimit-remaining", "ratelimit-remaining"].into_iter().find_map(number) == Some(0);
    let reset = ["x-ratelimit-reset", "ratelimit-reset"].into_iter().find_map(number);
    let seconds = number("retry-after").or(reset.filter(|_| is_used_up).map(|at| at - now));
    let after =
        seconds.map(|seconds| Duration::from_secs(seconds.max(1).cast_unsigned()).min(WAIT_MAX));
    let later = |whose| Told::Later { why: why.clone(), whose, after };
    match code {
        200..=299 => Told::Taken,
        // GitHub bounds rates with both.
        429 => later(Whose::All),
        403 if after.is_some() => later(Whose::All),
        408 | 425 | 500..=599 => later(Whose::All),
        // A token or an address that is wrong can be put right meanwhile; a commit may not have arrived yet.
        300..=399 | 401 | 403 | 404 => later(Whose::This),
        // GitLab refuses a state that it has already.
        400 if status.kind == Forge::Gitlab
            && build.state != BuildState::Ended
            && said.contains("Cannot transition status") =>
        {
            Told::Taken
        }
        _ => Told::Never(why),
    }
}
