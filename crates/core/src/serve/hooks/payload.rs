//! Parses the body of a genuine delivery. Only names of branches and commits are used: the URL of the repository is in
//! the configuration.

use serde::Deserialize;

use super::sender::{CallHeaders, Sender};
use crate::chain::{is_branch, is_commit};
use crate::serve::form::Fields;

/// The content of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Payload {
    /// The branch; empty if it names none, or an invalid one.
    pub(super) branch: String,
    /// The commit; empty if it names none.
    pub(super) commit: String,
    /// Why it starts no build.
    pub(super) ignored: Option<String>,
}

/// A push by GitHub, Gitea or GitLab.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Push {
    r#ref: Option<String>,
    after: Option<String>,
    deleted: Option<bool>,
}

/// A generic delivery.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GenericCall {
    branch: Option<String>,
    commit: Option<String>,
}

impl Payload {
    /// Parses the body of a delivery for a repository of which the branch `built` is built.
    pub(super) fn read(
        head: &CallHeaders,
        body: &[u8],
        is_form: bool,
        built: &str,
    ) -> Result<Self, String> {
        let is_push = match head.sender {
            Sender::GitLab => head.event == "Push Hook",
            Sender::GitHub | Sender::Gitea => head.event == "push",
            Sender::Generic => return generic(body, built),
        };
        if !is_push {
            let event: String = head.event.chars().filter(|c| !c.is_control()).take(60).collect();
            return Ok(Self::ignored(match head.sender {
                _ if event == "ping" => "it is a ping, so the webhook works".to_owned(),
                Sender::GitLab => format!("{event:?} is not a push to a branch"),
                _ => format!("the event {event:?} is not a push"),
            }));
        }
        // GitHub can be configured to send the JSON as a form field.
        let fields = is_form.then(|| Fields::parse(body));
        let json = match &fields {
            Some(fields) => fields.get("payload").unwrap_or_default().as_bytes(),
            None => body,
        };
        push(json, built)
    }

    fn ignored(why: impl Into<String>) -> Self {
        Self { ignored: Some(why.into()), ..Self::default() }
    }
}

fn push(json: &[u8], built: &str) -> Result<Payload, String> {
    let push: Push = parse(json)?;
    let name = push.r#ref.ok_or("the body names no `ref`")?;
    let Some(branch) = name.strip_prefix("refs/heads/") else {
        let why = if name.starts_with("refs/tags/") {
            "it pushes a tag, not a branch"
        } else {
            "it pushes no branch"
        };
        return Ok(Payload::ignored(why));
    };
    if !is_branch(branch) {
        return Ok(Payload::ignored("its branch name is not valid"));
    }
    let branch = branch.to_owned();
    if branch != built {
        let ignored = Some(format!("it is for another branch; only {built} is built"));
        return Ok(Payload { branch, ignored, ..Payload::default() });
    }
    let commit = push.after.unwrap_or_default();
    if push.deleted == Some(true) || commit.bytes().all(|digit| digit == b'0') && !commit.is_empty()
    {
        let ignored = Some("the branch was deleted".into());
        return Ok(Payload { branch, ignored, ..Payload::default() });
    }
    if !is_commit(&commit) {
        return Err("the body names no commit in `after`".into());
    }
    Ok(Payload { branch, commit, ignored: None })
}

fn generic(body: &[u8], built: &str) -> Result<Payload, String> {
    let call: GenericCall = if body.is_empty() { GenericCall::default() } else { parse(body)? };
    let branch = call.branch.unwrap_or_else(|| built.to_owned());
    let commit = call.commit.unwrap_or_default();
    if !is_branch(&branch) {
        return Err("`branch` is not a valid branch name".into());
    }
    if !commit.is_empty() && !is_commit(&commit) {
        return Err("`commit` is not a full commit hash".into());
    }
    let ignored =
        (branch != built).then(|| format!("it is for another branch; only {built} is built"));
    Ok(Payload { branch, commit, ignored })
}

fn parse<T: for<'a> Deserialize<'a>>(json: &[u8]) -> Result<T, String> {
    // The message of serde could quote the body; the position is enough.
    serde_json::from_slice(json).map_err(|error| {
        format!(
            "the body is not the expected JSON: error at line {}, column {}",
            error.line(),
            error.column()
        )
    })
}

#[cfg(test)]
mod tests;
