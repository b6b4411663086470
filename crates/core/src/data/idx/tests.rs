//! Tests of `data::idx`.

use super::*;

fn file(dims: &[u32]) -> Vec<u8> {
    let header = [0, 0, 8, dims.len() as u8];
    let dims_bytes = dims.iter().flat_map(|dim| dim.to_be_bytes());
    let len = dims.iter().product::<u32>();
    let pixels = (0..len).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8);
    header.into_iter().chain(dims_bytes).chain(pixels).collect()
}

#[test]
fn images_that_exceed_the_memory_are_mapped_and_have_the_same_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images");
    let store = |memory| Store { folder: Some(folder.path().join("cache")), memory };
    for dims in [&[300, 40, 30][..], &[300, 40, 30, 3], &[300, 3, 40, 30], &[300, 40, 30, 1]] {
        std::fs::write(&path, file(dims)).unwrap();
        let read = |memory| {
            let store = store(memory);
            read_images_within(&path, Checks::default(), &Room::of(&store)).unwrap()
        };
        let (held, mapped) = (read(u64::MAX), read(100_000));
        assert!(matches!(held.pixels, Pixels::Memory(_)), "{dims:?}");
        assert!(matches!(mapped.pixels, Pixels::Mapped(_)), "{dims:?}");
        assert!(held.pixels[..] == mapped.pixels[..], "{dims:?}");
        assert_eq!(held.file, mapped.file);
        assert_eq!((held.count, held.channels), (mapped.count, mapped.channels));
    }
    // What the mapped files had is gone from the disk.
    assert_eq!(std::fs::read_dir(folder.path().join("cache")).unwrap().count(), 0);
}

#[test]
fn files_share_the_memory_for_them() {
    let store = Store { folder: None, memory: 100 };
    let room = Room::of(&store);
    assert!(room.take(60) && !room.take(41) && room.take(40) && !room.take(1));
}

#[test]
fn a_spooled_file_is_checked_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images");
    let store = Store { folder: Some(folder.path().join("cache")), memory: 100_000 };
    let whole = file(&[300, 40, 30]);
    let longer = [&whole[..], &[1]].concat();
    for (content, problem) in
        [(&whole[..whole.len() - 1], "is too short"), (&longer[..], "continues after")]
    {
        std::fs::write(&path, content).unwrap();
        let error = read_images_within(&path, Checks::default(), &Room::of(&store));
        let error = error.unwrap_err().chain();
        assert!(error.contains(problem), "{error}");
    }
}
