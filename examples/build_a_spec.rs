//! Builds a study in code, grows it by typed edits, and prints it as a study file.
//!
//! `cargo run --profile quick --example build_a_spec`

use burgeon::spec::{Conv, Dense, Edit, InputShape, Layer, Pool, Spec, StudyFile};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let layers = vec![
        Layer::Conv(Conv::same(8, 5)),
        Layer::MaxPool(Pool::of(2)),
        Layer::Dense(Dense::of(32)),
    ];
    let mut file = StudyFile::new("in-code", layers);
    file.train.epochs = 3;
    let seed = Spec::new(file, InputShape::MNIST)?;

    let block = Edit::AddConvBlock { at: 2, filters: 16, kernel: 3, pool: true };
    let grown = block.apply(&seed)?;
    println!(
        "# {block}: {} → {} parameters",
        seed.table().parameters(),
        grown.table().parameters()
    );
    println!("{}", grown.file().to_toml());

    // An edit that would give an invalid study is an error, which says what would be valid.
    let too_large = Edit::AddConvBlock { at: 0, filters: 16, kernel: 29, pool: false };
    if let Err(error) = too_large.apply(&seed) {
        println!("# {error}");
    }
    Ok(())
}
