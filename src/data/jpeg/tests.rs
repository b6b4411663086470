use super::*;

/// Written by libjpeg-turbo: progressive with subsampled colours, progressive in grey, progressive with restart
/// markers, and sequential with restart markers.
const WHOLE: [&[u8]; 4] = [
    include_bytes!("../../../tests/library/data/pictures/progressive.jpg"),
    include_bytes!("../../../tests/library/data/pictures/progressive-grey.jpg"),
    include_bytes!("../../../tests/library/data/pictures/progressive-restarts.jpg"),
    include_bytes!("../../../tests/library/data/pictures/restarts.jpg"),
];

fn check(bytes: &[u8]) -> Result<(), Fault> {
    check_complete(bytes, 8192)
}

fn with_end(bytes: &[u8]) -> Vec<u8> {
    [bytes, &[0xff, END_OF_IMAGE]].concat()
}

#[test]
fn whole_pictures_are_complete() {
    for (at, bytes) in WHOLE.into_iter().enumerate() {
        assert_eq!(check(bytes), Ok(()), "picture {at}");
    }
}

#[test]
fn an_end_that_was_put_behind_a_part_is_found_out() {
    for (at, bytes) in WHOLE.into_iter().enumerate() {
        for len in 2..bytes.len() - 2 {
            let fault = check(&with_end(&bytes[..len]));
            assert!(
                matches!(fault, Err(Fault::Missing(_))),
                "picture {at} cut at {len}: {fault:?}"
            );
        }
    }
}

#[test]
fn what_is_missing_from_the_middle_is_found_out() {
    // From one restart marker to another, so that all that is left can be read.
    let bytes = WHOLE[3];
    let is_restart = |&at: &usize| bytes[at] == 0xff && matches!(bytes[at + 1], 0xd0..=0xd7);
    let restarts: Vec<usize> = (0..bytes.len() - 1).filter(is_restart).collect();
    assert!(restarts.len() > 6);
    for (first, second) in restarts.iter().zip(&restarts[1..]) {
        let hole = [&bytes[..*first], &bytes[*second..]].concat();
        assert!(matches!(check(&hole), Err(Fault::Missing(_))), "{first} to {second}");
    }
}

#[test]
fn damage_is_no_panic() {
    for bytes in WHOLE {
        for at in 0..bytes.len() {
            for value in [0, 0x7f, 0xff, !bytes[at]] {
                let mut damaged = bytes.to_vec();
                damaged[at] = value;
                let _ = check(&damaged);
            }
        }
    }
    for bytes in [&b""[..], b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xda\0\0"] {
        assert!(check(bytes).is_err(), "{bytes:?}");
    }
}
