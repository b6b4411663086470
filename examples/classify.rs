//! Classifies pictures with a trained model: `cargo run --profile quick --example classify RUN PICTURE…`
//!
//! RUN is a run folder such as `runs/lenet-5-0001`, or a model folder such as `runs/lenet-5-0001/best`.

use std::error::Error;

use burgeon::model::Classifier;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let run = arguments.next().ok_or("usage: classify RUN PICTURE…")?;
    let classifier = Classifier::open(&run)?;
    println!("{}", classifier.preparation().describe());

    // Images in memory, in the network's own size, are classified in batches; threads can share the classifier.
    let input = classifier.input();
    let black = vec![vec![0; input.height * input.width]; 8];
    let results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| classifier.classify(&black))).collect();
        threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    println!("{} threads classified {} images each", results.len(), black.len());

    // Picture files of any size are prepared like the training images.
    for path in arguments {
        match classifier.classify_encoded(&std::fs::read(&path)?) {
            Ok(probabilities) => {
                let named = classifier.classes().iter().zip(&probabilities);
                let best = named.max_by(|a, b| a.1.total_cmp(b.1)).ok_or("no classes")?;
                println!("{}: {} ({:.1} %)", path.display(), best.0, best.1 * 100.0);
            }
            Err(error) => eprintln!("{}: {error}", path.display()),
        }
    }
    Ok(())
}
