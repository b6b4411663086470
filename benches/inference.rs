//! Images a second of a run's model within this process, on as many threads as cores: what a server of it cannot exceed.
//!
//! `cargo bench --bench inference -- RUN PIXELS IMAGES SECONDS`: PIXELS is a file of raw images of the model's size, one
//! after the other; each thread classifies batches of IMAGES. `benches/peers/serving.py` runs it.

use std::time::{Duration, Instant};

use burgeon::model::Classifier;
use burgeon::unstable::train::Workers;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [run, pixels, images, seconds] = &arguments[..] else {
        println!("usage: inference RUN PIXELS IMAGES SECONDS");
        return Ok(());
    };
    let classifier = Classifier::open(run)?;
    let (pixels, images): (_, usize) = (std::fs::read(pixels)?, images.parse()?);
    let seconds = Duration::from_secs_f64(seconds.parse()?);
    let input = classifier.input();
    let all: Vec<&[u8]> =
        pixels.chunks_exact(input.height * input.width * input.channels).collect();
    let threads = std::thread::available_parallelism()?.get();
    let work = || {
        // As in the server: several threads compute at the same time, each alone.
        let workers = Workers::new(Some(1)).map_err(|error| error.to_string())?;
        let _entered = workers.enter();
        let (began, mut count) = (Instant::now(), 0);
        for batch in all.chunks_exact(images).cycle() {
            count += classifier.logits(batch).map_err(|error| error.to_string())?.len();
            if began.elapsed() >= seconds {
                break;
            }
        }
        Ok::<f64, String>(count as f64 / began.elapsed().as_secs_f64())
    };
    let rates: Result<Vec<f64>, String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?).collect()
    });
    println!("{:.0} images/s", rates?.iter().sum::<f64>());
    Ok(())
}
