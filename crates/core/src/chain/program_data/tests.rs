//! Tests of `chain::program_data`.

use super::*;
use crate::spec::StudyDocument;

fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let path = folder.path().join(name);
        if name.ends_with('/') {
            std::fs::create_dir_all(path).unwrap();
        } else {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
    }
    folder
}

fn study(data: &str) -> DataSpec {
    let text = format!("name = \"a\"\n[data]\n{data}\n[model]\nlayers = [\"global-avg-pool\"]\n");
    StudyDocument::new("study.toml", text).parse().unwrap().data
}

const CONV: [usize; 3] = [3, 40, 50];

#[test]
fn images_in_the_repository_are_read_there() {
    let checkout = folder(&["images/cat/"]);
    let given = folder(&["cat/", "dog/"]);
    let mut data = study("source = \"folder\"\npath = \"./images\"\nsize = [40, 50]");
    let before = data.clone();
    let found = find_data(&mut data, CONV, checkout.path(), Some(given.path()));
    assert_eq!((found, data), (Ok(None), before));
}

#[test]
fn images_elsewhere_are_those_of_the_repositorys_data() {
    let checkout = folder(&[]);
    let cases: [(&[&str], &str, Source, &str); 7] = [
        (&["train-images-idx3-ubyte.gz"], "source = \"mnist\"", Source::Mnist, "-"),
        (&["train-images-idx3-ubyte"], "source = \"folder\"\npath = \"images\"", Source::Idx, ""),
        (
            &["digits/train-images-idx3-ubyte"],
            "source = \"mnist\"\npath = \"/data/digits\"",
            Source::Idx,
            "digits",
        ),
        (
            &["cifar-10-batches-bin/a"],
            "source = \"cifar\"\npath = \"data/cifar-10-batches-bin\"",
            Source::Cifar,
            "",
        ),
        (&["mnist.npz"], "source = \"mnist\"", Source::Npz, "mnist.npz"),
        (
            &["train/cat/a.png"],
            "source = \"folder\"\npath = \"/data/train\"",
            Source::Folder,
            "train",
        ),
        (&["cat/a.png"], "source = \"folder\"\npath = \"/data/gone\"", Source::Folder, ""),
    ];
    for (names, text, source, below) in cases {
        let given = folder(names);
        let mut data = study(text);
        let found = find_data(&mut data, CONV, checkout.path(), Some(given.path())).unwrap();
        assert_eq!((data.source, &data.path), (source, &None), "{names:?}");
        assert_eq!(found, (below != "-").then(|| below.into()), "{names:?}");
        let is_framed = !matches!(source, Source::Mnist | Source::Idx);
        assert_eq!(data.size, is_framed.then_some(Size { height: 40, width: 50 }), "{names:?}");
        assert_eq!(data.channels, is_framed.then_some(3), "{names:?}");
    }
}

#[test]
fn a_program_leads_to_no_file_outside_of_the_data() {
    let (checkout, outside) = (folder(&[]), folder(&["a/secret/", "given/cat/"]));
    let given = outside.path().join("given");
    let mut data = study("source = \"folder\"\npath = \"/data/../a\"");
    let found = find_data(&mut data, CONV, checkout.path(), Some(&given)).unwrap();
    assert_eq!((data.source, found), (Source::Folder, Some("".into())));
}

#[test]
fn images_that_are_nowhere_are_said_to_be() {
    let checkout = folder(&[]);
    let given = folder(&["readme.txt"]);
    let mut data = study("source = \"folder\"\npath = \"images\"");
    let nowhere = find_data(&mut data.clone(), CONV, checkout.path(), None).unwrap_err();
    assert!(nowhere.contains("`data` of the repository"), "{nowhere}");
    let unreadable = find_data(&mut data, CONV, checkout.path(), Some(given.path())).unwrap_err();
    assert!(unreadable.contains("no images"), "{unreadable}");
    // burgeon finds MNIST without a path.
    assert_eq!(find_data(&mut study("source = \"mnist\""), CONV, checkout.path(), None), Ok(None));
}
