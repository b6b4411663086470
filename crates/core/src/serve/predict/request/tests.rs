//! Tests of `serve::predict::request`.

use super::*;

fn parse(json: &str) -> Result<InferRequest, String> {
    InferRequest::parse(&Bytes::copy_from_slice(json.as_bytes()), None, [1, 1, 2])
}

fn input(more: &str) -> String {
    format!(r#"{{"inputs":[{{"name":"images","shape":[2,1,1,2],"datatype":"FP32",{more}}}]}}"#)
}

#[test]
fn data_may_be_flat_or_nested() {
    for data in ["[0,0.5,1,0.25]", "[[[[0,0.5]]],[[[1,0.25]]]]", "[[0,0.5],1,[[0.25]]]"] {
        let request = parse(&input(&format!("\"data\":{data}"))).unwrap();
        assert_eq!(request.images, 2);
        let Input::Units(bytes) = request.input else { panic!() };
        let expected: Vec<u8> =
            [0.0, 0.5, 1.0, 0.25_f32].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(bytes, expected);
        assert_eq!(request.outputs.len(), 3);
    }
}

#[test]
fn binary_tensors_follow_the_json() {
    let json = r#"{"id":"42","parameters":{"binary_data_output":true},"inputs":[{"name":"images","shape":[1,1,1,2],
            "datatype":"UINT8","parameters":{"binary_data_size":2}}],"outputs":[{"name":"class","parameters":{"binary_data":false}},{"name":"logits"}]}"#;
    let body = [json.as_bytes(), &[7, 8]].concat();
    let parse = |length| InferRequest::parse(&body.clone().into(), length, [1, 1, 2]);
    let request = parse(Some(json.len())).unwrap();
    assert_eq!(request.id.as_deref(), Some("42"));
    assert!(matches!(request.input, Input::Bytes(bytes) if *bytes == [7, 8]));
    assert_eq!(
        request.outputs,
        [(OutputName::Class, Encoding::Json), (OutputName::Logits, Encoding::Binary)]
    );
    for wrong in [None, Some(0), Some(3), Some(json.len() + 1), Some(usize::MAX)] {
        assert!(parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would_be_right() {
    for (json, part) in [
        (String::new(), "not a valid inference request"),
        ("[]".to_owned(), "not a valid inference request"),
        ("{}".to_owned(), "inputs"),
        (r#"{"inputs":[]}"#.to_owned(), "0 inputs"),
        (input("\"data\":[1,2,3]"), "3 values"),
        (input("\"data\":[1,2,3,null]"), "numbers"),
        (input("\"data\":5"), "array"),
        (input("\"data\":[0,0,0,1e300]"), "finite"),
        (input("\"parameters\":{}"), "neither"),
        (input("\"parameters\":{\"binary_data_size\":16},\"data\":[1]"), "both"),
        (input("\"parameters\":{\"binary_data_size\":-1}"), "number of bytes"),
        (input("\"parameters\":{\"binary_data_size\":16}"), "0 bytes follow"),
        (input("\"data\":[0,0,0,0]").replace("images", "image"), "\"images\""),
        (input("\"data\":[0,0,0,0]").replace("FP32", "FP64"), "UINT8"),
        (input("\"data\":[0,0,0,0.5]").replace("FP32", "UINT8"), "0 to 255"),
        (input("\"data\":[]").replace("[2,1,1,2]", "[0,1,1,2]"), "0 images"),
        (input("\"data\":[]").replace("[2,1,1,2]", "[18446744073709551615,1,1,2]"), "images"),
        (input("\"data\":[]").replace("[2,1,1,2]", "[2,1,2,1]"), "[images, 1, 1, 2]"),
        (input("\"data\":[]").replace("[2,1,1,2]", "[2,-1,1,2]"), "not a valid inference request"),
        (input("\"data\":[0,0,0,0]}],\"outputs\":[{\"name\":\"x\""), "no output"),
        (
            input("\"data\":[0,0,0,0]}],\"outputs\":[{\"name\":\"class\"},{\"name\":\"class\""),
            "twice",
        ),
        (format!("{{\"inputs\":{}", "[".repeat(100_000)), "not a valid inference request"),
    ] {
        let error = parse(&json).expect_err(&json);
        assert!(error.contains(part), "{json:.80}: {error}");
    }
}
