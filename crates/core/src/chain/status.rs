//! Posts commit statuses to the service that hosts a repository.
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

/// Time limit of a request.
const LIMIT: Duration = Duration::from_secs(20);
/// How much of a response is read.
const ANSWER_BYTES_MAX: u64 = 4096;
/// How much of a response is shown.
const ANSWER_CHARS_MAX: usize = 200;
/// Longest wait that a response can ask for.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// The outcome of posting a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Posted {
    /// It was accepted, or the service has it already.
    Accepted,
    /// It failed, and may succeed later.
    RetryLater {
        /// Why.
        why: String,
        /// Whether the failure concerns all commits.
        scope: Scope,
        /// How long to wait, if the service says so.
        after: Option<Duration>,
    },
    /// The service will never accept it.
    Rejected(String),
}

/// What a failure concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everything that is posted there.
    Service,
    /// This commit.
    Commit,
}

/// The status of a build; the same text is recorded once it has been posted.
pub(super) fn wanted(build: &BuildRow) -> &'static str {
    match (build.state, build.verdict) {
        (BuildState::Ended, Some(Verdict::Accepted)) => "success",
        (BuildState::Ended, Some(Verdict::NotPassed)) => "failure",
        (BuildState::Ended, _) => "error",
        (BuildState::Queued | BuildState::Running, _) => "pending",
    }
}

/// The same in GitLab's words, which has no errors, but distinguishes running and cancelled commits.
fn gitlab_word(build: &BuildRow) -> &'static str {
    match (build.state, build.verdict) {
        (BuildState::Queued, _) => "pending",
        (BuildState::Running, _) => "running",
        (BuildState::Ended, Some(Verdict::Accepted)) => "success",
        (BuildState::Ended, Some(Verdict::Cancelled | Verdict::Superseded)) => "canceled",
        (BuildState::Ended, _) => "failed",
    }
}

/// A request, without the value of the token.
#[derive(Debug, PartialEq)]
struct Request {
    url: String,
    /// The header of the token, and the text before it.
    login: (&'static str, &'static str),
    more: &'static [(&'static str, &'static str)],
    body: Value,
}

/// Posts the commit status of a build.
pub(super) fn post(config: &Config, status: &StatusSpec, build: &BuildRow) -> Posted {
    let what = "the file with the token for commit statuses";
    let token = match Secret::read(&status.token_file, what) {
        Ok(token) => token,
        Err(why) => return Posted::RetryLater { why, scope: Scope::Service, after: None },
    };
    let Request { url, login: (name, before), more, body } =
        request(config.public_url.as_deref(), status, build);
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(LIMIT))
        // A redirect would send the token to another server.
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
            // The body is only for the message; the status code suffices without it.
            let _ = body.into_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut said);
            let said = String::from_utf8_lossy(&said).replace(token.expose(), "…");
            let now = Timestamp::now().as_second();
            judged(status, build, head.status.as_u16(), &head.headers, &said, now)
        }
        Err(error) => Posted::RetryLater {
            why: error_chain(&error).replace(token.expose(), "…"),
            scope: Scope::Service,
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

/// The URL of the repository's API. GitLab takes the path of a project as one part of a URL, in which
/// its slashes are written `%2F`; plain slashes are accepted here too.
fn api(status: &StatusSpec) -> String {
    let api = status.api.trim_end_matches('/');
    match api.split_once("/projects/") {
        Some((before, project)) if status.kind == Forge::Gitlab => {
            format!("{before}/projects/{}", project.replace('/', "%2F"))
        }
        _ => api.to_owned(),
    }
}

/// Interprets a response. `now` is in seconds since 1970.
fn judged(
    status: &StatusSpec,
    build: &BuildRow,
    code: u16,
    headers: &HeaderMap,
    said: &str,
    now: i64,
) -> Posted {
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
    let later = |scope| Posted::RetryLater { why: why.clone(), scope, after };
    match code {
        200..=299 => Posted::Accepted,
        // GitHub bounds rates with both.
        429 => later(Scope::Service),
        403 if after.is_some() => later(Scope::Service),
        408 | 425 | 500..=599 => later(Scope::Service),
        // A token or an address that is wrong can be put right meanwhile; a commit may not have arrived yet.
        300..=399 | 401 | 403 | 404 => later(Scope::Commit),
        // GitLab refuses a state that it has already.
        400 if status.kind == Forge::Gitlab
            && build.state != BuildState::Ended
            && said.contains("Cannot transition status") =>
        {
            Posted::Accepted
        }
        _ => Posted::Rejected(why),
    }
}
