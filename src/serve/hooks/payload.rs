//! What a genuine call tells of. Of its body nothing is used but names of branches and commits: where a
//! repository is fetched from stands in the configuration.

use serde::Deserialize;

use super::sender::{CallHeaders, Sender};
use crate::chain::{is_branch, is_commit};
use crate::serve::form::Fields;

/// What a webhook call says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Payload {
    /// The branch; empty if it tells of none, or of one whose name cannot be.
    pub(super) branch: String,
    /// The commit; empty if it tells of none.
    pub(super) commit: String,
    /// Why it starts nothing.
    pub(super) ignored: Option<String>,
}

/// What a push says, as GitHub, Gitea and GitLab write it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Push {
    r#ref: Option<String>,
    after: Option<String>,
    deleted: Option<bool>,
}

/// What a generic call says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GenericCall {
    branch: Option<String>,
    commit: Option<String>,
}

impl Payload {
    /// Reads the body of a call for a repository of which this branch is built. An error if it is not what such
    /// a sender sends.
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
                _ if event == "ping" => "a ping: the webhook works".to_owned(),
                Sender::GitLab => format!("{event:?} is not a push to a branch"),
                _ => format!("the event {event:?} is not a push"),
            }));
        }
        // GitHub can be told to send the JSON as a field of a form.
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
        let why = if name.starts_with("refs/tags/") { "a tag, not a branch" } else { "no branch" };
        return Ok(Payload::ignored(why));
    };
    if !is_branch(branch) {
        return Ok(Payload::ignored("the name of its branch is one that Git does not allow"));
    }
    let branch = branch.to_owned();
    if branch != built {
        let ignored = Some(format!("it is of another branch; only {built} is built"));
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
        return Err("`branch` is not the name of a branch".into());
    }
    if !commit.is_empty() && !is_commit(&commit) {
        return Err("`commit` is not the full name of a commit".into());
    }
    let ignored =
        (branch != built).then(|| format!("it is of another branch; only {built} is built"));
    Ok(Payload { branch, commit, ignored })
}

fn parse<T: for<'a> Deserialize<'a>>(json: &[u8]) -> Result<T, String> {
    // What serde says of the body could repeat it; where it is wrong is enough.
    serde_json::from_slice(json).map_err(|error| {
        format!(
            "the body is not the JSON that is expected, at line {}, column {}",
            error.line(),
            error.column()
        )
    })
}

#[cfg(test)]
mod tests;
