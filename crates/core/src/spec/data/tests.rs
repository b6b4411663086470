//! Tests of `spec::data`.

use super::*;

fn data(text: &str) -> Result<DataSpec, String> {
    toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
}

#[test]
fn amounts_are_numbers_or_shares_and_sizes_one_side_or_two() {
    let spec = data("validation = 500\ntest = 0.25\nsize = [32, 48]").unwrap();
    assert_eq!(spec.validation, Some(Amount::Count(500)));
    assert_eq!(spec.test, Some(Amount::Share(0.25)));
    assert_eq!(spec.size, Some(Size { height: 32, width: 48 }));
    assert_eq!(data("size = 64").unwrap().size, Some(Size { height: 64, width: 64 }));
    let text = toml::to_string(&spec).unwrap();
    assert_eq!(data(&text).unwrap(), spec, "{text}");
}

#[test]
fn what_is_neither_says_what_would_be_right() {
    for wrong in ["validation = \"many\"", "validation = -1", "test = true"] {
        let error = data(wrong).unwrap_err();
        assert!(error.contains("images"), "{wrong}: {error}");
    }
    for wrong in ["size = [1, 2, 3]", "size = [1]", "size = \"big\"", "size = -4"] {
        let error = data(wrong).unwrap_err();
        assert!(error.contains("side"), "{wrong}: {error}");
    }
}

#[test]
fn a_share_is_rounded_and_never_nothing() {
    assert_eq!(Amount::Share(0.2).of(2527), 505);
    assert_eq!(Amount::Share(0.2).of(2), 1);
    #[cfg(feature = "train")]
    assert_eq!(Amount::fifth(60_000, 5000), Amount::Count(5000));
    #[cfg(feature = "train")]
    assert_eq!(Amount::fifth(2527, 5000), Amount::Share(0.2));
}
