//! Tests of `socket`.

use super::*;

fn nothing(_: &str) -> Option<String> {
    None
}

#[test]
fn a_named_socket_goes_before_the_environment_and_that_before_the_usual_places() {
    let host = |name: &str| (name == "DOCKER_HOST").then(|| "unix:///a/docker.sock".to_owned());
    let always = |_: &Path| true;
    let path = find(Some(Path::new("/b.sock")), host, always).unwrap();
    assert_eq!(path, Path::new("/b.sock"));
    assert_eq!(find(None, host, always).unwrap(), Path::new("/a/docker.sock"));
    assert_eq!(find(None, nothing, always).unwrap(), Path::new("/var/run/docker.sock"));
}

#[test]
fn an_engine_without_root_is_preferred() {
    let own = |name: &str| (name == "XDG_RUNTIME_DIR").then(|| "/run/user/7".to_owned());
    let path = find(None, own, |_| true).unwrap();
    assert_eq!(path, Path::new("/run/user/7/docker.sock"));
    let path = find(None, own, |path| path.ends_with("podman.sock")).unwrap();
    assert_eq!(path, Path::new("/run/user/7/podman/podman.sock"));
}

#[test]
fn an_engine_elsewhere_and_no_engine_are_errors_that_say_what_to_do() {
    let host = |name: &str| (name == "DOCKER_HOST").then(|| "tcp://10.0.0.1:2375".to_owned());
    let said = find(None, host, |_| true).unwrap_err().to_string();
    assert!(said.contains("DOCKER_HOST is `tcp://10.0.0.1:2375`"), "{said}");
    let said = find(None, nothing, |_| false).unwrap_err().to_string();
    assert!(said.contains("/var/run/docker.sock") && said.contains("start Docker"), "{said}");
}
