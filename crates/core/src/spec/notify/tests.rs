//! Tests of `spec::notify`.

use crate::spec::{SpecError, StudyDocument, StudyFile};

fn study(notify: &str) -> StudyDocument {
    StudyDocument::new("s.toml", format!("[model]\nlayers = []\n[notify]\n{notify}\n"))
}

fn problems(notify: &str) -> String {
    study(notify).check().unwrap_err().to_string()
}

fn mail(more: &str) -> String {
    format!(
        "mail = {{ to = [\"ann@example.org\"], from = \"Bö <b@example.org>\", \
             server = \"smtp.example.org\", {more} }}"
    )
}

#[test]
fn what_is_told_to_whom_is_read_and_written_back() {
    let text = mail("user = \"ann\", password-variable = \"SMTP_PASSWORD\", port = 2525")
        + "\nwebhook = [{ url = \"https://example.org/h\", template = \"slack\" }, \
               { url-file = \"u\", secret-file = \"s\" }]";
    study(&text).check().unwrap();
    let file = study(&text).parse().unwrap();
    assert_eq!(file.notify.mail.as_ref().unwrap().port(), 2525);
    let again = StudyDocument::new("s.toml", file.to_toml()).parse().unwrap();
    assert_eq!(again, file);
    let plain = StudyFile::new("study", Vec::new());
    assert!(!plain.to_toml().contains("notify"), "{}", plain.to_toml());
}

#[test]
fn what_is_wrong_is_named_with_its_key() {
    for (notify, key, why) in [
        (mail("security = \"none\""), "security", "without encryption"),
        (mail("user = \"ann\""), "user", "no password"),
        (mail("password-file = \"p\""), "password-file", "without `user`"),
        (mail("port = 0"), "port", "0 is not a port"),
        (mail("user = \"a\", password-file = \"p\", password-variable = \"V\""), "pass", "second"),
        ("webhook = [{}]".into(), "webhook[0]", "no address"),
        ("webhook = [{ url = \"http://example.org/\" }]".into(), "url", "not encrypted"),
        ("webhook = [{ url = \"ftp://example.org/\" }]".into(), "url", "https://"),
        ("webhook = [{ url = \"https://exa mple.org/\" }]".into(), "url", "spaces"),
    ] {
        let said = problems(&notify);
        assert!(said.contains(key) && said.contains(why), "{notify}: {said}");
    }
    for address in
        ["ann", "a@b@c", "ann@", "a b@c.org", "a@c.org\\r\\nBcc: x@y.z", "<a@b", "\\\"a\\\"@b.c"]
    {
        let said = problems(&mail("").replace("ann@example.org", address));
        assert!(
            said.contains("notify.mail.to[0]") && said.contains("not a mail address"),
            "{said}"
        );
    }
    for server in ["", "smtp.example.org:25", "a b", "smtp.example.org\\r\\nQUIT", "-a.org"] {
        let said = problems(&mail("").replace("smtp.example.org", server));
        assert!(said.contains("notify.mail.server"), "{server}: {said}");
    }
}

#[test]
fn on_this_machine_encryption_is_not_needed() {
    for server in ["localhost", "127.0.0.1", "127.8.9.1", "::1"] {
        let text = mail("security = \"none\"").replace("smtp.example.org", server);
        study(&text).check().unwrap();
    }
    for url in ["http://127.0.0.1:8437/h", "http://[::1]:80/", "http://localhost/"] {
        study(&format!("webhook = [{{ url = \"{url}\" }}]")).check().unwrap();
    }
}

fn silent_about(canary: &str, error: &SpecError) {
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(canary), "{shown}");
}

#[test]
fn a_password_in_a_study_file_is_refused_without_being_shown() {
    let error = study(&mail("password = \"canary-7\"")).parse().unwrap_err();
    assert!(error.to_string().contains("password-file"), "{error}");
    silent_about("canary-7", &error);
    let set = "notify.mail.password=canary-7".parse().unwrap();
    let error = study(&mail("")).with_overrides(vec![set]).parse().unwrap_err();
    assert!(error.to_string().contains("password-file"), "{error}");
    silent_about("canary-7", &error);
    let said = problems("webhook = [{ url = \"https://u:canary-7@example.org/\" }]");
    assert!(said.contains("a password") && !said.contains("canary-7"), "{said}");
}
