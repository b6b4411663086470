//! What is kept of decoded images is what would be decoded, or is decoded again.

use std::fs;
use std::path::{Path, PathBuf};

use image::ImageFormat;
use tempfile::TempDir;

use super::tests::{content, encoded, pixels, request, two_classes, write};
use crate::data::load::load;
use crate::data::loaded::Loaded;
use crate::data::request::DataRequest;
use crate::data::{DataError, Progress, Store};
use crate::record::Split;
use crate::spec::{Size, Source};

/// What came of loading, and what was told: `read` for pictures that were decoded, and why nothing is kept.
fn told(request: &DataRequest) -> (Result<Loaded, DataError>, Vec<String>) {
    let mut told = Vec::new();
    let loaded = load(request, &mut |progress| match progress {
        Progress::Reading { .. } => told.push("read".to_owned()),
        Progress::NotCached { reason } => told.push(reason.to_owned()),
        _ => {}
    });
    (loaded, told)
}

fn cached(source: Source, path: &Path, cache: &Path, memory: u64) -> DataRequest {
    let store = Store { folder: Some(cache.into()), memory };
    DataRequest { store, ..request(source, path) }
}

fn all(loaded: &Loaded) -> Vec<Vec<(Vec<u8>, u16)>> {
    let splits = [Split::Train, Split::Validation, Split::Test];
    splits.map(|split| content(loaded.dataset.split(split))).into()
}

fn pixel_files(cache: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|it| it == "pixels")).collect()
}

#[test]
fn pictures_are_decoded_once_and_are_the_same_bits() {
    let (root, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    two_classes(root.path(), 40);
    let plain = told(&request(Source::Folder, root.path())).0.unwrap();
    // Of a bound that holds all of them and of the least one there is.
    for memory in [1 << 30, 1] {
        let request = cached(Source::Folder, root.path(), cache.path(), memory);
        for file in pixel_files(cache.path()) {
            fs::remove_file(file).unwrap();
        }
        let (first, read) = told(&request);
        let (second, nothing) = told(&request);
        assert!(!read.is_empty() && nothing.is_empty(), "{read:?} {nothing:?}");
        for loaded in [first.unwrap(), second.unwrap()] {
            assert_eq!(all(&loaded), all(&plain));
            assert_eq!(loaded.origin, plain.origin);
            assert_eq!(loaded.report, plain.report);
            assert_eq!(loaded.dataset.normalization, plain.dataset.normalization);
        }
    }
    // The frame that was chosen is the one that is then said.
    let mut said = cached(Source::Folder, root.path(), cache.path(), 1 << 30);
    said.framing.size = Some(Size { height: 8, width: 8 });
    said.framing.channels = Some(3);
    assert!(told(&said).1.is_empty());
    // Another one is kept beside it.
    said.framing.size = Some(Size { height: 4, width: 6 });
    assert!(!told(&said).1.is_empty() && told(&said).1.is_empty());
    assert_eq!(pixel_files(cache.path()).len(), 2);
}

#[test]
fn files_that_changed_are_decoded_again() {
    let (root, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    two_classes(root.path(), 20);
    let request = cached(Source::Folder, root.path(), cache.path(), 1 << 30);
    let before = told(&request).0.unwrap();
    let changes: [&dyn Fn(); 4] = [
        // The same length and, as far as tools can set it back, the same time.
        &|| {
            let path = root.path().join("cat/0.png");
            let time = fs::metadata(&path).unwrap().modified().unwrap();
            let other = fs::read(root.path().join("cat/2.png")).unwrap();
            write(path.clone(), &other);
            fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        },
        &|| fs::remove_file(root.path().join("dog/1.png")).unwrap(),
        &|| fs::rename(root.path().join("dog/3.png"), root.path().join("cat/3.png")).unwrap(),
        &|| write(root.path().join("cat/new.png"), &encoded(&pixels(99, 8, 8), ImageFormat::Png)),
    ];
    let mut last = all(&before);
    for (number, change) in changes.into_iter().enumerate() {
        change();
        let (now, read) = told(&request);
        assert!(!read.is_empty(), "change {number} was not noticed");
        let now = all(&now.unwrap());
        assert_ne!(now, last, "change {number}");
        last = now;
    }
    // What is newer takes the place of what is older.
    assert_eq!(pixel_files(cache.path()).len(), 1);
}

#[test]
fn damage_is_noticed_wherever_it_is() {
    let (root, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    two_classes(root.path(), 20);
    let request = cached(Source::Folder, root.path(), cache.path(), 1 << 30);
    let whole = all(&told(&request).0.unwrap());
    let file = pixel_files(cache.path()).remove(0);
    let bytes = fs::read(&file).unwrap();
    let put = |bytes: &[u8]| {
        fs::remove_file(&file).unwrap();
        fs::write(&file, bytes).unwrap();
    };
    // Behind the line at its head every bit counts.
    let mut places: Vec<usize> = (4096..bytes.len()).step_by(97).collect();
    places.extend(bytes.len() - 40..bytes.len());
    for at in places {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        put(&flipped);
        let (loaded, read) = told(&request);
        assert!(!read.is_empty(), "a flipped bit of byte {at} was not noticed");
        assert!(all(&loaded.unwrap()) == whole, "byte {at}");
    }
    for len in [0, 1, 40, 4095, 4096, 5000, bytes.len() - 41, bytes.len() - 1] {
        put(&bytes[..len]);
        let (loaded, read) = told(&request);
        assert!(!read.is_empty() && all(&loaded.unwrap()) == whole, "cut to {len}");
    }
    put(&[&bytes[..], b"more"].concat());
    assert!(!told(&request).1.is_empty());
    assert!(told(&request).1.is_empty());
}

#[test]
fn without_a_place_to_keep_them_images_are_held_in_memory_while_they_fit() {
    let (root, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    two_classes(root.path(), 20);
    let plain = all(&told(&request(Source::Folder, root.path())).0.unwrap());
    let blocked = cache.path().join("a file");
    fs::write(&blocked, b"in the way").unwrap();
    let mut request = cached(Source::Folder, root.path(), &blocked.join("below"), 1 << 30);
    let (loaded, said) = told(&request);
    assert_eq!(all(&loaded.unwrap()), plain);
    assert!(said[0].contains("a file"), "{said:?}");
    request.store.memory = 1000;
    let problem = told(&request).0.unwrap_err().to_string();
    assert!(problem.contains("1 kB") && problem.contains("BURGEON_CACHE"), "{problem}");
}

#[test]
fn unfinished_files_are_cleared_away() {
    let (root, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    two_classes(root.path(), 20);
    fs::write(cache.path().join(".tmp-1-0.pixels"), b"half").unwrap();
    fs::write(cache.path().join("notes.txt"), b"somebody's").unwrap();
    told(&cached(Source::Folder, root.path(), cache.path(), 1 << 30)).0.unwrap();
    let left: Vec<_> = fs::read_dir(cache.path()).unwrap().collect();
    // The pixels, the sizes and what is none of burgeon's.
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn arrays_larger_than_memory_are_kept_too() {
    let (root, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (cifar, csv) = (root.path().join("cifar"), root.path().join("lines.csv"));
    let record = |number: u32| {
        let planes = burgeon_pixels::planes(pixels(number, 32, 32).as_raw(), 3);
        [vec![(number % 2) as u8], planes].concat()
    };
    let records: Vec<u8> = (0..60).flat_map(record).collect();
    write(cifar.join("data_batch_1.bin"), &records);
    let line = |number: u32| {
        let values = pixels(number, 4, 4).into_raw().into_iter().take(16);
        let values: Vec<String> = values.map(|value| value.to_string()).collect();
        format!("{},{}\n", number % 2, values.join(","))
    };
    write(csv.clone(), (0..5000).map(line).collect::<String>().as_bytes());
    for (source, path) in [(Source::Cifar, &cifar), (Source::Csv, &csv)] {
        let plain = told(&request(source, path)).0.unwrap();
        let request = cached(source, path, cache.path(), 1 << 16);
        for _ in 0..2 {
            let loaded = told(&request).0.unwrap();
            assert_eq!(all(&loaded), all(&plain));
            assert_eq!(
                (loaded.origin, loaded.report),
                (plain.origin.clone(), plain.report.clone())
            );
        }
        let kept = pixel_files(cache.path());
        // The second time its pixels are not read.
        assert!(!kept.is_empty());
    }
    assert_eq!(pixel_files(cache.path()).len(), 2);
}
