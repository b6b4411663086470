//! Connections over TLS.

use std::time::Duration;

use super::bench::Bench;

/// Writes a certificate for 127.0.0.1, and its key, into a folder.
fn certificate(folder: &std::path::Path) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
}

#[test]
fn pages_come_over_tls_and_cookies_stay_on_it() {
    let files = tempfile::tempdir().unwrap();
    certificate(files.path());
    let path = files.path().display();
    let bench = Bench::with(&format!(
        "[tls]\ncertificate-file = \"{path}/certificate.pem\"\nkey-file = \"{path}/key.pem\"\n[access]\nchange-token-file = \"change\"\n"
    ));
    let pem = std::fs::read(files.path().join("certificate.pem")).unwrap();
    let root = ureq::tls::Certificate::from_pem(&pem).unwrap();
    let tls = ureq::tls::TlsConfig::builder()
        .root_certs(ureq::tls::RootCerts::Specific(std::sync::Arc::new(vec![root])))
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .into();
    let url = |path: &str| format!("https://{}{path}", bench.address);
    assert_eq!(agent.get(url("/healthz")).call().unwrap().status(), 200);
    let login = agent.post(url("/login")).send("token=change-token").unwrap();
    let cookie = login.headers().get("set-cookie").unwrap().to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-burgeon-session=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    // Without TLS nothing is said.
    assert!(!bench.raw(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").starts_with(b"HTTP"));
}

#[test]
fn files_that_cannot_be_used_are_told() {
    let files = tempfile::tempdir().unwrap();
    for name in ["certificate.pem", "key.pem"] {
        std::fs::write(files.path().join(name), "nothing\n").unwrap();
    }
    let tls = crate::chain::Tls {
        certificate_file: files.path().join("certificate.pem"),
        key_file: files.path().join("key.pem"),
    };
    let error = crate::serve::tls::Certificates::read(&tls).err().unwrap().to_string();
    assert!(error.contains("certificate.pem") && error.contains("no PEM certificate"), "{error}");
}
