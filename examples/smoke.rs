use burgeon::data::images::*;
use burgeon::data::*;
use burgeon::model::*;
use burgeon::spec::*;
use burgeon::train::*;
struct W;
impl Watch for W {
    fn step(&mut self, p: &StepProgress) -> Flow { if p.step % 200 == 0 { println!("{p:?}"); } Flow::Continue }
    fn epoch(&mut self, r: &EpochRecord) -> Result<Flow, WatchError> { println!("{r:?}"); Ok(Flow::Continue) }
    fn wants_checkpoint(&mut self, _: &StepProgress) -> bool { false }
    fn checkpoint(&mut self, _: &TrainState) -> Result<(), WatchError> { Ok(()) }
}
fn main() {
    let dir = std::path::Path::new("/work/shared/mnist");
    let gz = |n: &str| { let f = std::fs::File::open(dir.join(n)).unwrap(); let mut v = vec![]; std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(f), &mut v).unwrap(); v };
    let load = |i: &str, l: &str| { let p = gz(i); let q = gz(l); Images::new(p[16..].into(), q[8..].into(), 28, 28) };
    let train_images = load("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz");
    let test = load("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz");
    let sizes = splits::SplitSizes { validation: 5000, train: None, test: None };
    let [tr, va, te] = splits::carve(train_images, test, sizes, 42).unwrap();
    let data = Dataset::new(tr, va, te, 10);
    let path = std::env::args().nth(1).unwrap();
    let doc = StudyDocument::new(path.clone(), std::fs::read_to_string(&path).unwrap())
        .with_overrides(std::env::args().skip(2).map(|o| o.parse().unwrap()).collect());
    let spec = match doc.validate(InputShape::MNIST) { Ok(s) => s, Err(e) => { println!("{e}"); return } };
    println!("{}", spec.file().to_toml());
    for row in &spec.table().rows { println!("{} {} {} {}", row.name, row.output, row.parameters, row.flops); }
    let device = DeviceChoice::Cpu.open().unwrap();
    let setup = TrainingSetup { spec: &spec, data: &data, device: &device, trial: 1 };
    let t = std::time::Instant::now();
    let trained = train(setup, TrainState::start(Weights::initial(&spec, 1)), &mut W).unwrap();
    println!("{:?} {:?} {}", trained.ending, t.elapsed(), trained.state.weights.hash());
    let net = Network::new(&spec, &trained.state.best.unwrap().weights, &device.device).unwrap();
    let e = evaluate(&net, &data.test, data.normalization, 10, &device.device);
    println!("test {} {}", e.accuracy(), e.loss);
}
