//! Tests of `serve::hooks::payload`.

use super::*;

fn payload(sender: Sender, event: &str, body: &str) -> Result<Payload, String> {
    let head = CallHeaders { sender, event, delivery: None, proof: "", timestamp: None };
    Payload::read(&head, body.as_bytes(), false, "main")
}

fn body(name: &str, after: &str) -> String {
    serde_json::json!({ "ref": name, "after": after, "repository": { "clone_url": "ext::sh" } })
        .to_string()
}

#[test]
fn a_push_to_the_branch_is_a_build_and_anything_else_says_why_not() {
    let commit = "0a".repeat(20);
    for (sender, event) in
        [(Sender::GitHub, "push"), (Sender::Gitea, "push"), (Sender::GitLab, "Push Hook")]
    {
        let push = |name, after| payload(sender, event, &body(name, after));
        let expected = Payload { branch: "main".into(), commit: commit.clone(), ignored: None };
        assert_eq!(push("refs/heads/main", &commit), Ok(expected));
        let why = |payload: Result<Payload, String>| payload.unwrap().ignored.unwrap();
        assert!(why(push("refs/heads/other", &commit)).contains("another branch"));
        assert!(why(push("refs/tags/main", &commit)).contains("tag"));
        let deleted = "0".repeat(40);
        assert!(why(push("refs/heads/main", &deleted)).contains("deleted"));
        assert!(why(push("refs/heads/-x", &commit)).contains("not valid"));
        assert!(push("refs/heads/main", "HEAD").is_err());
        assert!(push("refs/heads/main", "").is_err());
    }
    for (sender, event) in [
        (Sender::GitHub, "ping"),
        (Sender::GitHub, "pull_request"),
        (Sender::Gitea, "delete"),
        (Sender::GitLab, "Tag Push Hook"),
        (Sender::GitLab, "Merge Request Hook"),
        (Sender::GitLab, "System Hook"),
    ] {
        assert!(
            payload(sender, event, &body("refs/heads/main", &commit)).unwrap().ignored.is_some()
        );
    }
    for bad in ["", "[]", "{", "{\"ref\": 1}", "\u{0}", &"[".repeat(10_000)] {
        assert!(payload(Sender::GitHub, "push", bad).is_err(), "{bad}");
    }
}

#[test]
fn github_may_send_a_form() {
    let commit = "0a".repeat(20);
    let head = CallHeaders {
        sender: Sender::GitHub,
        event: "push",
        delivery: None,
        proof: "",
        timestamp: None,
    };
    let form = format!(
        "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%2C%22after%22%3A%22{commit}%22%7D"
    );
    let told = Payload::read(&head, form.as_bytes(), true, "main").unwrap();
    assert_eq!((told.branch.as_str(), told.commit, told.ignored), ("main", commit, None));
}

#[test]
fn a_generic_call_may_leave_out_everything() {
    let told = |body| payload(Sender::Generic, "push", body);
    let newest = Payload { branch: "main".into(), ..Payload::default() };
    assert_eq!(told(""), Ok(newest.clone()));
    assert_eq!(told("{}"), Ok(newest));
    assert!(told("{\"branch\":\"dev\"}").unwrap().ignored.is_some());
    for bad in ["{\"branch\":\"-x\"}", "{\"commit\":\"HEAD\"}", "[1]", "x"] {
        assert!(told(bad).is_err(), "{bad}");
    }
}
