//! Tests of `notify::secret`.

use super::*;

#[test]
fn a_password_is_found_in_every_form_it_is_sent_in() {
    let redaction = Redaction::of_login("ann", &Secret("canary-7".into()));
    let answer = format!(
        "535 {} {} no canary-7 here\r\n",
        STANDARD.encode("\0ann\0canary-7"),
        STANDARD.encode("canary-7")
    );
    assert_eq!(redaction.apply(&answer), "535 … … no … here  ");
    assert_eq!(format!("{redaction:?}").matches("canary").count(), 0);
}

#[test]
fn a_secret_is_the_first_line_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    for (content, secret) in [("a b\n", Some("a b")), ("a\r\nb", Some("a")), ("\nb", None)] {
        std::fs::write(&path, content).unwrap();
        let read = Secret::read(&path, "the password").ok();
        assert_eq!(read.as_ref().map(Secret::expose), secret, "{content:?}");
    }
    std::fs::write(&path, "x".repeat(5000)).unwrap();
    let why = Secret::read(&path, "the password").unwrap_err();
    assert!(why.contains("the password") && why.contains("4096"), "{why}");
}
