//! Tests of `data::mnist`.

use super::*;

fn places(variables: &[(&str, &str)], named: Option<&str>) -> Places {
    let look_up =
        |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
    Places::default_folders(named.map(PathBuf::from), look_up)
}

#[test]
fn what_is_said_outright_outranks_the_environment() {
    let environment =
        [("BURGEON_DATA", "/env"), ("HOME", "/home/ada"), ("XDG_CACHE_HOME", "/caches")];
    assert_eq!(places(&environment, Some("/said")).named, Some("/said".into()));
    assert_eq!(places(&environment, None).named, Some("/env".into()));
    assert_eq!(places(&environment, None).cache, Some("/caches/burgeon/mnist".into()));
}

#[test]
fn the_cache_lies_under_home_unless_xdg_says_otherwise() {
    assert_eq!(
        places(&[("HOME", "/home/ada")], None).cache,
        Some("/home/ada/.cache/burgeon/mnist".into())
    );
    let relative = [("HOME", "/home/ada"), ("XDG_CACHE_HOME", "caches")];
    assert_eq!(places(&relative, None).cache, Some("/home/ada/.cache/burgeon/mnist".into()));
    assert_eq!(
        places(&[("BURGEON_DATA", "")], None),
        Places { local: Some("data".into()), ..Places::default() }
    );
}
