//! Tests of `serve::hooks::sender`.

use super::*;

fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
    of.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn checked(
    of: &[(&'static str, &str)],
    secrets: &[&str],
    body: &[u8],
    now: i64,
) -> Result<Sender, &'static str> {
    let headers = headers(of);
    let head = CallHeaders::read(&headers).ok_or("nobody")?;
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(secret)).collect();
    head.check(&secrets, body, now).map(|()| head.sender)
}

/// GitHub's documentation, "Validating webhook deliveries", "Testing the webhook payload validation".
const DOCUMENTED: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
const SECRET: &str = "It's a Secret to Everybody";

#[test]
fn githubs_documented_example_is_genuine_and_nothing_near_it() {
    let signed = format!("sha256={DOCUMENTED}");
    let with = |signature: &str, secrets: &[&str], body: &[u8]| {
        let of = [("x-github-event", "push"), ("x-hub-signature-256", signature)];
        checked(&of, secrets, body, 0)
    };
    assert_eq!(with(&signed, &[SECRET], b"Hello, World!"), Ok(Sender::GitHub));
    assert_eq!(with(&signed, &["new", SECRET], b"Hello, World!"), Ok(Sender::GitHub));
    assert_eq!(with(&signed, &[SECRET], b"Hello, World"), Err("the signature is wrong"));
    assert_eq!(with(&signed, &["other"], b"Hello, World!"), Err("the signature is wrong"));
    assert!(with(&signed, &[], b"Hello, World!").unwrap_err().contains("no secret"));
    assert!(with(&signed[..70], &[SECRET], b"Hello, World!").is_err());
    assert!(with(DOCUMENTED, &[SECRET], b"Hello, World!").is_err(), "without its prefix");
    assert_eq!(with("", &[SECRET], b"Hello, World!"), Err("it is not signed"));
    let only_sha1 = [
        ("x-github-event", "push"),
        ("x-hub-signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"),
    ];
    assert_eq!(checked(&only_sha1, &[SECRET], b"Hello, World!", 0), Err("it is not signed"));
}

#[test]
fn gitea_and_forgejo_are_told_from_github_whose_headers_they_send_too() {
    for name in ["gitea", "forgejo"] {
        let event: &'static str = if name == "gitea" { "x-gitea-event" } else { "x-forgejo-event" };
        let proof: &'static str =
            if name == "gitea" { "x-gitea-signature" } else { "x-forgejo-signature" };
        let github = format!("sha256={DOCUMENTED}");
        let of = [
            (event, "push"),
            ("x-github-event", "push"),
            (proof, DOCUMENTED),
            ("x-hub-signature-256", &github),
        ];
        assert_eq!(checked(&of, &[SECRET], b"Hello, World!", 0), Ok(Sender::Gitea));
        let of = [
            (event, "push"),
            ("x-github-event", "push"),
            (proof, ""),
            ("x-hub-signature-256", &github),
        ];
        assert!(checked(&of, &[SECRET], b"Hello, World!", 0).is_err());
    }
}

#[test]
fn gitlab_gives_its_token_and_one_identifier_for_all_its_tries() {
    let of = |token| {
        [
            ("x-gitlab-event", "Push Hook"),
            ("x-gitlab-token", token),
            ("x-gitlab-event-uuid", "u"),
            ("idempotency-key", "k"),
        ]
    };
    assert_eq!(checked(&of(SECRET), &["old", SECRET], b"{}", 0), Ok(Sender::GitLab));
    assert_eq!(checked(&of("wrong"), &[SECRET], b"{}", 0), Err("the token is wrong"));
    let headers = headers(&of(SECRET));
    assert_eq!(CallHeaders::read(&headers).unwrap().identifier(b""), Some("k".into()));
}

#[test]
fn our_own_signatures_are_taken_for_five_minutes() {
    let signature = crate::notify::signature(b"key", 1_700_000_000, b"{\"a\":1}");
    let signature = format!("sha256={signature}");
    let with = |timestamp, now| {
        let of = [("x-burgeon-signature", &*signature), ("x-burgeon-timestamp", timestamp)];
        checked(&of, &["key"], b"{\"a\":1}", now)
    };
    assert_eq!(with("1700000000", 1_700_000_299), Ok(Sender::Generic));
    assert_eq!(with("1700000000", 1_699_999_701), Ok(Sender::Generic));
    assert!(with("1700000000", 1_700_000_301).unwrap_err().contains("five minutes"));
    assert!(with("1700000100", 1_700_000_000).is_err(), "the timestamp is signed too");
    assert!(with("01700000000", 1_700_000_000).is_err());
}

#[test]
fn identifiers_are_short_and_printable_or_made_of_the_body() {
    let long = "x".repeat(201);
    for (given, taken) in
        [("72d3162e-cc78-11e3", true), ("a b", false), ("", false), (&*long, false)]
    {
        let headers = headers(&[("x-github-event", "push"), ("x-github-delivery", given)]);
        assert_eq!(
            CallHeaders::read(&headers).unwrap().identifier(b"").is_some(),
            taken,
            "{given}"
        );
    }
    let headers = headers(&[("x-github-event", "push")]);
    let head = CallHeaders::read(&headers).unwrap();
    assert_eq!(head.identifier(b"a"), head.identifier(b"a"));
    assert_ne!(head.identifier(b"a"), head.identifier(b"b"));
}
