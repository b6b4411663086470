//! Tests of `drift::reference`.

use super::*;
use crate::sys::files::real_files;

fn reference() -> Reference {
    let images: Vec<[u8; 4]> = (0..60).map(|at| [at, 255 - at, 7, at / 2]).collect();
    let answers: Vec<[f32; 2]> =
        (0..60).map(|at| [at as f32 / 60.0, 1.0 - at as f32 / 60.0]).collect();
    let answered = images.iter().zip(&answers);
    let rows =
        answered.map(|(image, answer)| (&answer[..], &image[..], usize::from(image[0] < 40)));
    reference_of(2, [1, 2, 2], rows).unwrap()
}

#[test]
fn a_reference_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let files = real_files().unwrap();
    assert!(read_reference(&*files, folder.path()).unwrap().is_none());
    let written = serde_json::to_vec(&reference()).unwrap();
    files.write_atomically(&folder.path().join(REFERENCE_FILE), &written).unwrap();
    assert_eq!(read_reference(&*files, folder.path()).unwrap().unwrap(), reference());
}

#[test]
fn a_damaged_reference_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let files = real_files().unwrap();
    let path = folder.path().join(REFERENCE_FILE);
    let written = serde_json::to_string(&reference()).unwrap();
    for damaged in
        [&written[..written.len() / 2], "{}", &written.replace("\"images\":60", "\"images\":61")]
    {
        files.write_atomically(&path, damaged.as_bytes()).unwrap();
        let error = read_reference(&*files, folder.path()).unwrap_err();
        assert!(error.to_string().contains(REFERENCE_FILE), "{error}");
    }
}

#[test]
fn mcnemars_test_is_the_one_that_runs_are_compared_by() {
    use crate::record::paired::Discordant;
    for (only_first, only_second) in (0..40).flat_map(|one| (0..40).map(move |other| (one, other)))
    {
        let own = Discordant { only_first, only_second }.p_value();
        let found = burgeon_drift::counts::mcnemar(only_first, only_second);
        assert!((own - found).abs() < 1e-12, "{only_first}, {only_second}: {found}, not {own}");
    }
}
