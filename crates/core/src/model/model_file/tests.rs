//! Tests of `model::model_file`.

use super::*;
use crate::spec::StudyDocument;

fn file() -> ModelFile {
    let text = include_str!("../../../../../models/lenet.toml");
    let spec = StudyDocument::new("lenet.toml", text).validate(InputShape::MNIST).unwrap();
    let classes = (0..10).map(|class| class.to_string()).collect();
    let normalization = Normalization::of_all(0.13, 0.31);
    ModelFile {
        weights: Weights::initial(&spec, 1),
        preparation: Preparation::grey(InputShape::MNIST, normalization, classes, Subject::Digit),
    }
}

#[test]
fn dense_weights_lie_out_by_in_as_pytorch_has_them_and_come_back() {
    let file = file();
    let bytes = file.to_safetensors().unwrap();
    let raw = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(raw.tensor("head.weight").unwrap().shape(), [10, 84]);
    assert_eq!(raw.tensor("layers.0.weight").unwrap().shape(), [6, 1, 5, 5]);
    // Unit 1, input 0 is the second number of the network's [in, out] array.
    let own = file.weights.get("head.weight").unwrap().values[1];
    let first_of_unit_1 = &raw.tensor("head.weight").unwrap().data()[84 * 4..][..4];
    assert_eq!(first_of_unit_1, own.to_le_bytes());
    assert_eq!(ModelFile::from_safetensors(&bytes).unwrap(), file);
}

#[test]
fn a_file_of_version_0_1_0_opens_with_its_own_arrangement() {
    let file = file();
    let note = r#"{"input":{"channels":1,"height":28,"width":28,"classes":10},"mean":0.13,"std":0.31,
            "classes":["0","1","2","3","4","5","6","7","8","9"]}"#;
    let bytes = file.weights.to_safetensors(Some(note)).unwrap();
    let digits = DataSpec::default();
    assert_eq!(ModelFile::from_safetensors_of(&bytes, &digits).unwrap(), file);
    let read = ModelFile::from_safetensors(&bytes).unwrap();
    assert_eq!(read.preparation, file.preparation.whole());
}

#[test]
fn numbers_that_nothing_can_be_computed_with_are_refused_by_name() {
    let refusal = |name: &str, number: f32| {
        let mut file = file();
        let array = WeightArray { shape: vec![2], values: vec![1.0, number] };
        file.weights.insert(name, array);
        let read = ModelFile::from_safetensors(&file.to_safetensors().unwrap());
        read.err().map(|error| crate::sys::error_chain(&error))
    };
    assert_eq!(refusal("layers.1.running-variance", 0.0), None);
    assert_eq!(refusal("layers.1.running-mean", -1.0), None);
    let negative = refusal("layers.1.running-variance", -0.5).unwrap();
    assert!(negative.contains("`layers.1.running-variance` has negative"), "{negative}");
    let nan = refusal("layers.1.beta", f32::NAN).unwrap();
    assert!(nan.contains("`layers.1.beta` has numbers that are not finite"), "{nan}");
}

#[test]
fn crafted_headers_are_refused_by_name() {
    let file = file();
    let refusal = |note: &str| {
        let bytes = file.weights.to_safetensors(Some(note)).unwrap();
        ModelFile::from_safetensors(&bytes).unwrap_err().to_string()
    };
    let first = |channels: usize, height: usize, std: f32, classes: &str| {
        refusal(&format!(
            r#"{{"input":{{"channels":{channels},"height":{height},"width":28,"classes":2}},"mean":0,"std":{std},"classes":{classes}}}"#
        ))
    };
    assert!(
        first(3, 28, 1.0, r#"["a","b"]"#).contains("`channels` of the model's preparation is 3")
    );
    assert!(first(1, 0, 1.0, r#"["a","b"]"#).contains("`height` of the model's preparation is 0"));
    assert!(first(1, 28, 0.0, r#"["a","b"]"#).contains("`std`"));
    assert!(first(1, 28, 1.0, r#"["a"]"#).contains("`classes`"));
    let twice = first(1, 28, 1.0, r#"["a","a"]"#);
    assert!(twice.contains("a list with \"a\" more than once"), "{twice}");
    let mut preparation = serde_json::to_value(&file.preparation).unwrap();
    let mut noted = |key: &str, value: serde_json::Value| {
        let before = preparation[key].take();
        preparation[key] = value;
        let note = serde_json::json!({
            "dense-weights": "[out, in]", "preparation": &preparation,
        });
        preparation[key] = before;
        refusal(&note.to_string())
    };
    assert!(noted("version", 3.into()).contains("version 3"));
    assert!(noted("range", serde_json::json!([-1.0, 1.0])).contains("`range`"));
    assert!(noted("classes", serde_json::json!([])).contains("`classes`"));
    assert!(noted("channels", "rgb".into()).contains("`mean`"));
    assert!(refusal("[]").contains("is invalid"));
}
