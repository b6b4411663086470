//! Tests of `model::optimizer_record`.

use super::*;
use crate::spec::{Dense, InputShape, Layer, StudyFile};

fn spec() -> Spec {
    let layers = vec![Layer::BatchNorm(Default::default()), Layer::Dense(Dense::of(3))];
    let input = InputShape { channels: 1, height: 2, width: 2, classes: 2 };
    Spec::new(StudyFile::new("record", layers), input).unwrap()
}

fn tensor(entry: &str, dtype: DType, shape: &[usize], id: Option<u64>) -> Tensor {
    let len = shape.iter().product::<usize>() * 4;
    Tensor::new(entry.into(), dtype, shape.to_vec(), id, Bytes::from_bytes_vec(vec![0; len]))
}

fn read(tensors: Vec<Tensor>, scalars: &[(&str, Scalar)]) -> Result<OptimizerRecord, String> {
    let mut writer = Writer::new(tensors);
    for (entry, scalar) in scalars {
        writer = writer.with_scalar(entry, *scalar);
    }
    let bytes = writer.into_bytes().unwrap();
    OptimizerRecord::read(&bytes, &spec()).map_err(|error| error.to_string())
}

#[test]
fn a_sound_record_is_written_and_read_back_equal() {
    let velocity = || vec![tensor("32.momentum.velocity", DType::F32, &[4, 3], Some(32))];
    let record = read(velocity(), &[("32.__rank", Scalar::from(2_usize))]).unwrap();
    assert!(record.parameters.contains("layers.1.weight"));
    let bytes = record.write(&spec()).unwrap();
    assert_eq!(OptimizerRecord::read(&bytes, &spec()).unwrap(), record);
}

#[test]
fn what_is_not_of_the_network_or_of_another_type_is_refused_by_name() {
    let velocity = |dtype, shape: &[usize], id| {
        read(vec![tensor("32.momentum.velocity", dtype, shape, id)], &[]).unwrap_err()
    };
    assert!(velocity(DType::I32, &[4, 3], Some(32)).contains("I32"));
    assert!(velocity(DType::F32, &[3, 4], Some(32)).contains("[3, 4]"));
    assert!(velocity(DType::F32, &[4, 3], None).contains("None"));
    assert!(velocity(DType::F32, &[4, 3], Some(33)).contains("33"));
    let named =
        |entry: &str| read(vec![tensor(entry, DType::F32, &[4, 3], Some(32))], &[]).unwrap_err();
    assert!(named("32.momentum.unheard").contains("no known parameter"));
    assert!(named("99.momentum.velocity").contains("`99."));
    let rank = read(Vec::new(), &[("32.__rank", Scalar::from(4_usize))]).unwrap_err();
    assert!(rank.contains("2 axes"), "{rank}");
    let steps = read(Vec::new(), &[("32.momentum.time", Scalar::from(-1_i64))]).unwrap_err();
    assert!(steps.contains("number of steps"), "{steps}");
    let half = vec![tensor("32.momentum.moment_1", DType::F32, &[4, 3], Some(32))];
    assert!(read(half, &[]).unwrap_err().contains("lacks its mean of squared gradients"));
    assert!(OptimizerRecord::read(b"nonsense", &spec()).is_err());
}
