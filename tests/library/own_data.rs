//! A program's own arrays, trained by hand.

use burgeon::data::{Dataset, Images};
use burgeon::model::{DeviceChoice, OpenDevice, Weights};
use burgeon::record::{EpochRecord, StepProgress};
use burgeon::spec::{InputShape, Layer, Spec, StudyFile};
use burgeon::unstable::train::{
    Flow, Profiling, TrainState, TrainingSetup, Watch, WatchError, evaluate, test_rates, train,
};

use crate::small_sets::{in_turn, square};

struct Silent;

impl Watch for Silent {
    fn step(&mut self, _: &StepProgress) -> Flow {
        Flow::Continue
    }

    fn epoch(&mut self, _: &EpochRecord) -> Result<Flow, WatchError> {
        Ok(Flow::Continue)
    }

    fn wants_checkpoint(&mut self, _: &StepProgress) -> bool {
        false
    }

    fn checkpoint(&mut self, _: &TrainState) -> Result<(), WatchError> {
        Ok(())
    }
}

fn squares(count: usize, start: usize) -> Images {
    let labels = in_turn(count, 4);
    let images = labels.iter().zip(start..);
    let pixels: Vec<u8> =
        images.flat_map(|(&label, index)| square(usize::from(label), index)).collect();
    Images::new(pixels, labels, 6, 6).unwrap()
}

fn spec(input: InputShape) -> Spec {
    let mut file = StudyFile::new("squares", Vec::<Layer>::new());
    file.train.epochs = 10;
    file.train.batch_size = 16;
    file.train.learning_rate = 0.01;
    Spec::new(file, input).unwrap()
}

fn setup<'a>(spec: &'a Spec, data: &'a Dataset, device: &'a OpenDevice) -> TrainingSetup<'a> {
    TrainingSetup { spec, data, device, trial: 1, profiling: Profiling::Off }
}

#[test]
fn a_network_for_other_images_is_refused_and_the_right_one_learns() {
    let data = Dataset::new(squares(200, 0), squares(40, 1000), squares(40, 2000), 4).unwrap();
    let device = DeviceChoice::Cpu.open().unwrap();
    let right = InputShape { channels: 1, height: 6, width: 6, classes: 4 };
    for wrong in
        [InputShape::MNIST, InputShape { classes: 3, ..right }, InputShape { width: 7, ..right }]
    {
        let spec = spec(wrong);
        let weights = Weights::initial(&spec, 1);
        let start = TrainState::start(weights.clone());
        let error =
            train(setup(&spec, &data, &device), start, &mut Silent).unwrap_err().to_string();
        assert!(error.ends_with("but the data has 1×6×6 images of 4 classes"), "{error}");
        assert!(test_rates(setup(&spec, &data, &device), &weights, 0.01, &mut || true).is_err());
    }
    let spec = spec(right);
    let start = TrainState::start(Weights::initial(&spec, 1));
    let curve = train(setup(&spec, &data, &device), start, &mut Silent).unwrap().state.curve;
    let last = curve.last().unwrap();
    assert!(last.validation_accuracy > 0.9, "{last:?}");
    let recalls: Vec<u64> = last.recalls.iter().map(|recall| recall.images).collect();
    assert_eq!(recalls, [10; 4]);
}

#[test]
fn no_images_have_no_loss() {
    let spec = spec(InputShape { channels: 1, height: 6, width: 6, classes: 4 });
    let device = DeviceChoice::Cpu.open().unwrap();
    let weights = Weights::initial(&spec, 1);
    let network = burgeon::model::Network::new(&spec, &weights, &device.device).unwrap();
    let none = burgeon::data::Subset::from(squares(8, 0)).with_indices(vec![]).unwrap();
    let normalization = burgeon::data::Normalization::of_all(0.0, 1.0);
    let result = evaluate(&network, &none, normalization, 4, &device.device);
    assert!(result.unwrap().loss.is_nan());
}
