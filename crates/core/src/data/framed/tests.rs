use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat, RgbImage};
use tempfile::TempDir;

use crate::data::load::load;
use crate::data::loaded::Loaded;
use crate::data::request::DataRequest;
use crate::data::{DataError, Subset};
use crate::record::{DataFinding, Split};
use crate::spec::{Amount, Fit, Size, Source};

/// A colour image of its own for every number.
pub(super) fn pixels(number: u32, height: u32, width: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let value = |channel: u32| {
            let mixed =
                number.wrapping_mul(2_654_435_761).wrapping_add(x * 97 + y * 89 + channel * 83);
            (mixed.wrapping_mul(0x9e37_79b9) >> 24) as u8
        };
        image::Rgb([value(0), value(1), value(2)])
    })
}

pub(super) fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(image.clone()).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(super) fn write(path: PathBuf, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Two classes of `count` PNG files of 8×8 pixels each.
pub(super) fn two_classes(root: &Path, count: u32) {
    for number in 0..2 * count {
        let class = if number % 2 == 0 { "cat" } else { "dog" };
        let image = encoded(&pixels(number, 8, 8), ImageFormat::Png);
        write(root.join(class).join(format!("{number}.png")), &image);
    }
}

pub(super) fn request(source: Source, path: &Path) -> DataRequest {
    DataRequest { source, path: Some(path.into()), ..DataRequest::mnist(1) }
}

fn loaded(request: &DataRequest) -> Result<Loaded, DataError> {
    load(request, &mut |_| {})
}

pub(super) fn content(subset: &Subset) -> Vec<(Vec<u8>, u16)> {
    (0..subset.len()).map(|at| (subset.image(at).to_vec(), subset.label(at))).collect()
}

fn problem(request: &DataRequest) -> String {
    loaded(request).unwrap_err().to_string()
}

#[test]
fn folders_are_classes_and_splits_are_carved() {
    let root = TempDir::new().unwrap();
    two_classes(root.path(), 100);
    let data = loaded(&request(Source::Folder, root.path())).unwrap().dataset;
    assert_eq!(data.classes, ["cat", "dog"]);
    assert_eq!(data.input_shape(), [3, 8, 8]);
    let counts =
        [Split::Train, Split::Validation, Split::Test].map(|split| data.split(split).len());
    assert_eq!(counts.iter().sum::<usize>(), 200);
    // A fifth for testing, a fifth of the rest for validation, as the hashes fall.
    assert!((20..60).contains(&counts[2]) && (15..50).contains(&counts[1]), "{counts:?}");
    // Every pixel is where it was.
    let image = pixels(4, 8, 8);
    let planes = burgeon_pixels::planes(image.as_raw(), 3);
    let all = [&data.train, &data.validation, &data.test].map(content).concat();
    assert!(all.contains(&(planes, 0)));
}

#[test]
fn a_further_file_moves_no_other_and_names_do_not_matter() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    two_classes(first.path(), 60);
    for number in (0..120).rev() {
        let class = if number % 2 == 0 { "cat" } else { "dog" };
        let image = encoded(&pixels(number, 8, 8), ImageFormat::Bmp);
        write(second.path().join(class).join(format!("z{}.bmp", 500 - number)), &image);
    }
    let [a, b] = [&first, &second]
        .map(|root| loaded(&request(Source::Folder, root.path())).unwrap().dataset);
    for split in [Split::Train, Split::Validation, Split::Test] {
        assert_eq!(content(a.split(split)), content(b.split(split)));
    }
    for number in 200..220 {
        let image = encoded(&pixels(number, 8, 8), ImageFormat::Png);
        write(first.path().join("cat").join(format!("new{number}.png")), &image);
    }
    let more = loaded(&request(Source::Folder, first.path())).unwrap().dataset;
    for split in [Split::Train, Split::Validation, Split::Test] {
        let now = content(more.split(split));
        assert!(content(a.split(split)).iter().all(|image| now.contains(image)), "{split:?}");
    }
}

#[test]
fn a_class_of_three_images_has_one_in_each_split_and_moves_no_other() {
    for seed in 0..20 {
        for amount in [None, Some(Amount::Count(20)), Some(Amount::Share(0.05))] {
            let root = TempDir::new().unwrap();
            two_classes(root.path(), 100);
            let splits = |root: &Path| {
                let request =
                    DataRequest { seed, validation: amount, ..request(Source::Folder, root) };
                let data = loaded(&request).unwrap().dataset;
                [Split::Train, Split::Validation, Split::Test]
                    .map(|split| content(data.split(split)))
            };
            let before = splits(root.path());
            for number in 0..3 {
                let image =
                    encoded(&pixels(seed as u32 * 7 + number + 900, 8, 8), ImageFormat::Png);
                write(root.path().join("elk").join(format!("{number}.png")), &image);
                write(root.path().join("elk").join(format!("{number}-copy.png")), &image);
            }
            let after = splits(root.path());
            for (before, after) in before.iter().zip(&after) {
                let small = after.iter().filter(|(_, label)| *label == 2).count();
                assert_eq!(small, 2, "seed {seed}, {amount:?}: an image and its copy");
                let is_there = |image: &(Vec<u8>, u16)| after.contains(image);
                let is_counted = matches!(amount, Some(Amount::Count(_)));
                assert!(is_counted || before.iter().all(is_there), "seed {seed}, {amount:?}");
            }
        }
    }
}

#[test]
fn the_size_that_images_are_brought_to_moves_none_to_another_split() {
    let root = TempDir::new().unwrap();
    two_classes(root.path(), 60);
    let mut request = request(Source::Folder, root.path());
    let counts = [5, 8, 16].map(|side| {
        request.framing.size = Some(Size { height: side, width: side });
        let data = loaded(&request).unwrap().dataset;
        [Split::Train, Split::Validation, Split::Test].map(|s| data.split(s).indices().to_vec())
    });
    assert!(counts[0] == counts[1] && counts[1] == counts[2]);
}

#[test]
fn copies_of_an_image_stand_in_one_split_and_are_named() {
    let root = TempDir::new().unwrap();
    two_classes(root.path(), 50);
    for copy in 0..40 {
        let image = encoded(&pixels(copy * 2, 8, 8), ImageFormat::Png);
        write(root.path().join("cat").join(format!("copy-{copy}.png")), &image);
    }
    for amount in [Amount::Share(0.3), Amount::Count(30)] {
        let request = DataRequest {
            validation: Some(amount),
            test: Some(amount),
            ..request(Source::Folder, root.path())
        };
        let loaded = loaded(&request).unwrap();
        let is_shared =
            |finding: &&DataFinding| matches!(finding, DataFinding::SharedImages { .. });
        assert_eq!(loaded.report.findings.iter().find(is_shared), None);
        let named = loaded.report.findings.iter().find_map(|finding| match finding {
            DataFinding::Duplicates { images, named } => Some((*images, named.clone())),
            _ => None,
        });
        let (images, named) = named.unwrap();
        assert_eq!(images, 40);
        assert!(named.len() == 10 && named.iter().all(|line| line.contains("copy-")), "{named:?}");
    }
}

#[test]
fn folders_of_splits_are_taken_as_they_are() {
    let root = TempDir::new().unwrap();
    two_classes(&root.path().join("Train"), 30);
    two_classes(&root.path().join("test"), 5);
    let loaded_all = loaded(&request(Source::Folder, root.path())).unwrap();
    assert_eq!(loaded_all.dataset.test.len(), 10);
    // The test images are among the training images, and that is said.
    assert!(
        loaded_all
            .report
            .findings
            .iter()
            .any(|finding| matches!(finding, DataFinding::SharedImages { split: Split::Test, .. }))
    );
    let asked =
        DataRequest { test: Some(Amount::Count(3)), ..request(Source::Folder, root.path()) };
    assert!(problem(&asked).contains("has its own test images"));
    two_classes(&root.path().join("val"), 7);
    let data = loaded(&request(Source::Folder, root.path())).unwrap().dataset;
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (60, 14, 10));
}

#[test]
fn cifar_files_and_folders_of_the_same_images_are_the_same_data() {
    let (binary, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut files = [Vec::new(), Vec::new()];
    for number in 0..120_u32 {
        let image = pixels(number, 32, 32);
        let (label, part) = ((number % 3) as u8, usize::from(number >= 90));
        files[part].push(label);
        files[part].extend(burgeon_pixels::planes(image.as_raw(), 3));
        let class = ["airplane", "bird", "cat"][usize::from(label)];
        let path = folder.path().join(["train", "test"][part]).join(class);
        write(path.join(format!("{number}.png")), &encoded(&image, ImageFormat::Png));
    }
    write(binary.path().join("data_batch_1.bin"), &files[0]);
    write(binary.path().join("test_batch.bin"), &files[1]);
    write(binary.path().join("batches.meta.txt"), b"airplane\nbird\ncat\n\n");
    let a = loaded(&request(Source::Cifar, binary.path())).unwrap();
    let b = loaded(&request(Source::Folder, folder.path())).unwrap();
    assert_eq!(a.dataset.classes, b.dataset.classes);
    for split in [Split::Train, Split::Validation, Split::Test] {
        assert_eq!(content(a.dataset.split(split)), content(b.dataset.split(split)));
    }
    assert_eq!(a.dataset.normalization, b.dataset.normalization);
    write(binary.path().join("test_batch.bin"), &files[1][..3000]);
    assert!(problem(&request(Source::Cifar, binary.path())).contains("not whole records of 3073"));
}

#[test]
fn broken_files_are_named_and_left_out_only_where_that_is_asked_for() {
    let root = TempDir::new().unwrap();
    two_classes(root.path(), 20);
    let image = encoded(&pixels(7, 8, 8), ImageFormat::Png);
    write(root.path().join("cat/cut.png"), &image[..image.len() / 2]);
    write(root.path().join("cat/empty.jpg"), b"");
    write(root.path().join("dog/text.png"), b"not a picture");
    write(root.path().join("dog/notes.txt"), b"about dogs");
    write(root.path().join("dog/.DS_Store"), b"hidden");
    fs::create_dir(root.path().join("elk")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.path().join("dog/gone.png")).unwrap();
    let text = problem(&request(Source::Folder, root.path()));
    assert!(text.contains("4 of its files cannot be read"), "{text}");
    for name in ["cut.png", "empty.jpg", "text.png", "gone.png"] {
        assert!(text.contains(name), "{text}");
    }
    let mut skipping = request(Source::Folder, root.path());
    skipping.framing.skip_unreadable = true;
    let report = loaded(&skipping).unwrap().report;
    let words: Vec<String> = report.findings.iter().map(|finding| finding.words(&[])).collect();
    let words = words.join("\n");
    assert!(words.contains("4 files that cannot be read were left out"), "{words}");
    assert!(words.contains("notes.txt") && words.contains("elk"), "{words}");
    assert!(!words.contains(".DS_Store"), "{words}");
}

#[test]
fn a_picture_of_enormous_size_is_refused_by_its_header() {
    let root = TempDir::new().unwrap();
    two_classes(root.path(), 5);
    // A PNM file may say anything about its size.
    write(root.path().join("cat/bomb.ppm"), b"P6 50000 50000 255\n\0\0\0");
    let text = problem(&request(Source::Folder, root.path()));
    assert!(text.contains("bomb.ppm"), "{text}");
}

#[test]
fn pipes_are_named_and_not_waited_for() {
    let root = TempDir::new().unwrap();
    two_classes(root.path(), 20);
    for name in ["cat/pipe.png", "dog/pipe"] {
        let made = std::process::Command::new("mkfifo").arg(root.path().join(name)).status();
        assert!(made.unwrap().success());
    }
    let text = problem(&request(Source::Folder, root.path()));
    assert!(text.contains("pipe.png: not a regular file"), "{text}");
}

#[test]
fn links_that_go_round_end() {
    let root = TempDir::new().unwrap();
    two_classes(root.path(), 20);
    std::os::unix::fs::symlink(root.path().join("cat"), root.path().join("cat/again")).unwrap();
    std::os::unix::fs::symlink("..", root.path().join("dog/up")).unwrap();
    std::os::unix::fs::symlink(".", root.path().join("all")).unwrap();
    let loaded = loaded(&request(Source::Folder, root.path())).unwrap();
    assert_eq!(loaded.dataset.classes.len(), 2);
    // Nor do pictures of one class come into another through a link upwards.
    let splits = [Split::Train, Split::Validation, Split::Test];
    let images: usize = splits.iter().map(|&split| loaded.dataset.split(split).len()).sum();
    assert_eq!(images, 40);
    let named = loaded.report.findings.iter().find_map(|finding| match finding {
        DataFinding::NoPictures { named, .. } => Some(named.join(" ")),
        _ => None,
    });
    let named = named.unwrap();
    for link in ["cat/again", "dog/up", "all"] {
        assert!(named.contains(link), "{link} is not in {named}");
    }
}

#[test]
fn names_in_any_encoding_are_read() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let root = TempDir::new().unwrap();
    two_classes(root.path(), 20);
    let image = encoded(&pixels(900, 8, 8), ImageFormat::Png);
    write(root.path().join("cat").join(OsStr::from_bytes(b"caf\xe9.png")), &image);
    write(
        root.path().join("cat/日本 \u{1f431}.png"),
        &encoded(&pixels(901, 8, 8), ImageFormat::Png),
    );
    let data = loaded(&request(Source::Folder, root.path())).unwrap().dataset;
    assert_eq!(data.train.len() + data.validation.len() + data.test.len(), 42);
    let class = root.path().join(OsStr::from_bytes(b"h\xe9"));
    write(class.join("1.png"), &image);
    assert!(problem(&request(Source::Folder, root.path())).contains("must be UTF-8"));
}

#[test]
fn sizes_and_colours_follow_the_images_unless_said() {
    let root = TempDir::new().unwrap();
    for number in 0..40 {
        let image = pixels(number, 20 + number, 40);
        let grey = DynamicImage::ImageRgb8(image).to_luma8();
        let mut bytes = Cursor::new(Vec::new());
        grey.write_to(&mut bytes, ImageFormat::Png).unwrap();
        let class = ["a", "b"][number as usize % 2];
        write(root.path().join(class).join(format!("{number}.png")), &bytes.into_inner());
    }
    let data = loaded(&request(Source::Folder, root.path())).unwrap().dataset;
    assert_eq!(data.input_shape(), [1, 40, 40]);
    let mut asked = request(Source::Folder, root.path());
    asked.framing.size = Some(Size { height: 12, width: 16 });
    asked.framing.channels = Some(3);
    asked.framing.fit = Some(Fit::Pad);
    assert_eq!(loaded(&asked).unwrap().dataset.input_shape(), [3, 12, 16]);
}

#[test]
fn a_list_of_files_gives_classes_and_splits() {
    let root = TempDir::new().unwrap();
    let mut list = String::from("split,image_id,class\n");
    for number in 0..60 {
        let image = encoded(&pixels(number, 8, 8), ImageFormat::Png);
        write(root.path().join(format!("images/{number}.png")), &image);
        let split = ["train", "train", "val", "test"][number as usize % 4];
        // Competitions leave the ending out.
        let folder = if number < 30 { "" } else { "images/" };
        list += &format!("{split},{folder}{number},{}\n", ["pine", "oak"][number as usize % 2]);
    }
    fs::write(root.path().join("labels.csv"), &list).unwrap();
    let mut request = request(Source::Folder, root.path());
    request.framing.labels = Some("labels.csv".into());
    let data = loaded(&request).unwrap().dataset;
    assert_eq!(data.classes, ["oak", "pine"]);
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (30, 15, 15));
    let refused = |line: &str| {
        fs::write(root.path().join("labels.csv"), format!("{list}{line}\n")).unwrap();
        problem(&request)
    };
    assert!(refused("train,images/none,oak").contains("images/none"));
    assert!(refused("train,../../etc/passwd,oak").contains("line 62"));
    assert!(refused("later,images/1,oak").contains("\"later\" is not a split"));
    assert!(refused("train,images/1,").contains("a file and its class"));
}

fn npy(array: &[u8], dtype: &str, shape: &str) -> Vec<u8> {
    let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(array);
    bytes
}

fn npz(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in arrays {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn archives_of_arrays_are_read_in_either_order_of_channels() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("set.npz");
    let images: Vec<RgbImage> = (0..30).map(|number| pixels(number, 4, 6)).collect();
    let last: Vec<u8> = images.iter().flat_map(|image| image.as_raw().clone()).collect();
    let first: Vec<u8> =
        images.iter().flat_map(|image| burgeon_pixels::planes(image.as_raw(), 3)).collect();
    let labels: Vec<u8> = (0..30_i64).flat_map(|number| (number % 2).to_le_bytes()).collect();
    let bytes: Vec<u8> = (0..30).map(|number| number % 2).collect();
    npz(
        &path,
        &[
            ("train_images", npy(&last, "|u1", "(30, 4, 6, 3)")),
            ("train_labels", npy(&bytes, "|u1", "(30, 1)")),
            ("val_images", npy(&last[..10 * 72], "|u1", "(10, 4, 6, 3)")),
            ("val_labels", npy(&bytes[..10], "|u1", "(10, 1)")),
        ],
    );
    let a = loaded(&request(Source::Npz, &path)).unwrap().dataset;
    assert_eq!((a.validation.len(), a.train.len() + a.test.len()), (10, 30));
    npz(
        &path,
        &[
            ("x_train", npy(&first, "|u1", "(30, 3, 4, 6)")),
            ("y_train", npy(&labels, "<i8", "(30,)")),
            ("x_val", npy(&first[..10 * 72], "|u1", "(10, 3, 4, 6)")),
            ("y_val", npy(&labels[..80], "<i8", "(10,)")),
        ],
    );
    let b = loaded(&request(Source::Npz, &path)).unwrap().dataset;
    for split in [Split::Train, Split::Validation, Split::Test] {
        assert_eq!(content(a.split(split)), content(b.split(split)));
    }
}

#[test]
fn archives_that_do_not_fit_together_say_what_is_wrong() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("set.npz");
    let refusal = |images: Vec<u8>, labels: Vec<u8>| {
        npz(&path, &[("train_images", images), ("train_labels", labels)]);
        problem(&request(Source::Npz, &path))
    };
    let good = || npy(&[0; 16], "|u1", "(4, 2, 2)");
    assert!(refusal(good(), npy(&[0, 1, 1], "|u1", "(3,)")).contains("4 images"));
    assert!(refusal(good(), npy(&[0; 16], "|u1", "(4, 4)")).contains("one class for each image"));
    assert!(refusal(npy(&[0; 3], "|u1", "(4, 2, 2)"), good()).contains("truncated"));
    let huge = npy(&[], "|u1", "(4000000000, 4000000000, 4000000000)");
    assert!(refusal(huge, good()).contains("shape that is too large"));
    assert!(refusal(npy(&[0; 8], "|S2", "(4, 1, 1)"), good()).contains("not supported"));
    let negative = npy(&(-1_i64).to_le_bytes().repeat(4), "<i8", "(4,)");
    assert!(refusal(good(), negative).contains("the label -1"));
    fs::write(&path, b"PK not really").unwrap();
    assert!(problem(&request(Source::Npz, &path)).contains("not an archive"));
}

#[test]
fn tables_of_pixels_are_images() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("train.csv");
    let mut text = String::from("label,p0,p1,p2,p3\n");
    for number in 0..40 {
        text += &format!("{},{},{},0,255\n", number % 2, number, number * 2);
    }
    fs::write(&path, &text).unwrap();
    // As in competitions, test images without classes are none to test with.
    fs::write(folder.path().join("test.csv"), "p0,p1,p2,p3\n1,2,3,4\n").unwrap();
    let data = loaded(&request(Source::Csv, folder.path())).unwrap().dataset;
    assert_eq!((data.classes.len(), data.input_shape()), (2, [1, 2, 2]));
    assert_eq!(data.train.len() + data.validation.len() + data.test.len(), 40);
    let refusal = |line: &str| {
        fs::write(&path, format!("{text}{line}\n")).unwrap();
        problem(&request(Source::Csv, &path))
    };
    assert!(refusal("1,2,3").contains("line 42: 2 pixels"));
    assert!(refusal("1,2,3,4,300").contains("\"300\" in column 5"));
    assert!(refusal("1,2,3,4,x").contains("\"x\" in column 5"));
    fs::write(&path, "cat,1,2,3,4,5\ndog,4,5,6,7,8\ncat,7,8,9,0,1\n").unwrap();
    assert!(problem(&request(Source::Csv, &path)).contains("do not form a square"));
    let mut sized = request(Source::Csv, &path);
    sized.framing.size = Some(Size { height: 1, width: 5 });
    sized.validation = Some(Amount::Count(1));
    sized.test = Some(Amount::Count(1));
    assert!(loaded(&sized).is_err_and(|error| !error.to_string().contains("square")));
}

#[test]
fn mutated_pictures_never_panic() {
    use burgeon_pixels::{Fit, Frame, Picture};
    let formats = [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Pnm,
    ];
    for format in formats {
        let good = encoded(&pixels(3, 9, 7), format);
        assert_eq!(Picture::decode(&good).unwrap().size(), (9, 7), "{format:?}");
        let is_reduced = Picture::decode_for(&good, Some([2, 3])).unwrap().size() != (9, 7);
        assert_eq!(is_reduced, format == ImageFormat::Jpeg);
        for seed in 0..500_u64 {
            let mut rng = crate::sys::CounterRng::new(seed);
            let mut bytes = good.clone();
            for _ in 0..=rng.below(8) {
                let at = rng.below(bytes.len() as u32) as usize;
                match rng.below(4) {
                    0 => bytes[at] = rng.below(256) as u8,
                    1 => bytes[at] ^= 1 << rng.below(8),
                    2 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, rng.below(256) as u8),
                }
            }
            let _ = Picture::size_of(&bytes);
            if let Ok(picture) = Picture::decode(&bytes) {
                let _ = picture.interleaved(3, 0.5);
            }
            // At a reduced size, where the format has one.
            if let Ok(picture) = Picture::decode_for(&bytes, Some([2, 3])) {
                for fit in [Fit::Crop, Fit::Pad, Fit::Stretch] {
                    let frame = Frame { channels: 3, height: 2, width: 3, fit, background: 0.5 };
                    assert_eq!(frame.take(&picture, false).len(), 18, "{format:?} {seed}");
                }
            }
        }
    }
}

#[test]
fn test_pictures_without_classes_are_told_and_not_used() {
    let root = TempDir::new().unwrap();
    two_classes(&root.path().join("train"), 20);
    for number in 100..107 {
        let image = encoded(&pixels(number, 8, 8), ImageFormat::Png);
        write(root.path().join(format!("test/{number}.png")), &image);
    }
    let loaded = loaded(&request(Source::Folder, root.path())).unwrap();
    let words: Vec<String> =
        loaded.report.findings.iter().map(|finding| finding.words(&[])).collect();
    assert!(
        words.iter().any(|it| it.contains("test has 7 images without class labels")),
        "{words:?}"
    );
    assert!(!loaded.dataset.test.is_empty());
}

#[test]
fn of_a_moving_picture_the_first_is_taken() {
    let root = TempDir::new().unwrap();
    let image = |at: u32| RgbImage::from_pixel(8, 8, image::Rgb([at as u8 * 5, 0, 200]));
    for number in 0..40 {
        let class = if number % 2 == 0 { "cat" } else { "dog" };
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        for shown in [image(number), image(50)] {
            let frame = image::Frame::new(DynamicImage::ImageRgb8(shown).to_rgba8());
            encoder.encode_frame(frame).unwrap();
        }
        drop(encoder);
        write(root.path().join(class).join(format!("{number}.gif")), &bytes);
    }
    let data = loaded(&request(Source::Folder, root.path())).unwrap().dataset;
    let all = [&data.train, &data.validation, &data.test].map(content).concat();
    let mut reds: Vec<u8> = all.iter().map(|(image, _)| image[0]).collect();
    reds.sort_unstable();
    assert_eq!(reds, (0..40).map(|at| at * 5).collect::<Vec<u8>>());
}
