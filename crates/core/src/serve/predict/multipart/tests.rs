//! Tests of `serve::predict::multipart`.

use super::*;

#[test]
fn files_come_out_as_they_went_in() {
    let body = b"preamble\r\n--X\r\nContent-Disposition: form-data; name=\"a\"; filename=\"one.png\"\r\n\r\nfirst\r\n--\r\n--X\r\n\
            content-disposition: form-data; name=\"b\"\r\nContent-Type: image/png\r\n\r\n\r\n--X--\r\n";
    let found = parts(body, "X").unwrap();
    assert_eq!(found[0], Part { name: "one.png", content: b"first\r\n--" });
    assert_eq!(found[1], Part { name: "b", content: b"" });
    assert_eq!(found.len(), 2);
}

#[test]
fn a_form_cut_anywhere_is_refused_and_never_read_beyond() {
    let body = b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\ncontent\r\n--X--";
    assert_eq!(parts(body, "X").unwrap().len(), 1);
    for end in 0..body.len() {
        assert!(parts(&body[..end], "X").is_err(), "{end}");
    }
    let many = b"--X\r\n\r\n\r\n\r\n".repeat(PARTS_MAX + 1);
    assert!(parts(&[&many[..], b"--X--"].concat(), "X").is_err());
}

#[test]
fn the_boundary_is_that_of_the_type() {
    assert_eq!(boundary("multipart/form-data; boundary=abc"), Some("abc"));
    assert_eq!(boundary("Multipart/Form-Data; charset=x; Boundary=\"a b\""), Some("a b"));
    for none in [
        "image/png",
        "multipart/form-data",
        "multipart/mixed; boundary=a",
        "multipart/form-data; boundary=",
    ] {
        assert_eq!(boundary(none), None);
    }
}
