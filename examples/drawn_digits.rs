//! Writes burgeon's drawn digits as IDX files: `cargo run --profile quick --example drawn_digits FOLDER [IMAGES]`
//!
//! For programs in other languages, such as `crates/drift/examples/shifts.py`.

use std::error::Error;
use std::path::Path;

use burgeon::unstable::data::{Split, synthetic};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: drawn_digits FOLDER [IMAGES]")?;
    let count: usize = arguments.next().map_or(Ok(10_000), |count| count.parse())?;
    let digits = synthetic::digits(Split::Test, count, 0, |_| {});
    let header = |kind: u8, sides: &[usize]| {
        let sides = sides.iter().flat_map(|&side| (side as u32).to_be_bytes());
        [0, 0, 8, kind].into_iter().chain(sides).collect::<Vec<u8>>()
    };
    let mut images = header(3, &[count, 28, 28]);
    let mut labels = header(1, &[count]);
    for at in 0..count {
        images.extend(digits.image(at));
        labels.push(digits.label(at) as u8);
    }
    std::fs::create_dir_all(&folder)?;
    std::fs::write(Path::new(&folder).join("t10k-images-idx3-ubyte"), images)?;
    std::fs::write(Path::new(&folder).join("t10k-labels-idx1-ubyte"), labels)?;
    Ok(())
}
