//! Programs that miss their gate: grown, and sent back as programs.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::site::{Site, stage};
use crate::small_sets::{image_file, in_turn, label_file, square, write_set};

/// A program of Keras that learns next to nothing, with something that no study has.
const WEAK: &str = r#"
import os
import numpy as np
from keras import Input, Sequential, layers
from keras.callbacks import ReduceLROnPlateau
from keras.optimizers import SGD

x = np.fromfile(os.environ["BURGEON_DATA"] + "/train-images-idx3-ubyte", np.uint8)[16:]
model = Sequential([Input((6, 6, 1)), layers.Flatten(), layers.Dense(4, activation="softmax")])
model.compile(optimizer=SGD(1e-5), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, x, epochs=1, batch_size=32, callbacks=[ReduceLROnPlateau()])
"#;

/// Stands in for an image with Keras: the repository's program reaches 25 %, and that of a grown network 97 %. Notes
/// each start.
const STAND_IN: &str = r#"
echo "$0" >> "$BURGEON_DATA/../starts.txt"
case "$0" in
  evaluate.py)
    grep -q "from keras_model import load" evaluate.py && grep -q "layers.Dense(4" keras_model.py &&
      test -s keras.npz && test -s validation.npz && echo 0.97 > accuracy.txt ;;
  *) test -e train.py && echo 0.25 > accuracy.txt ;;
esac
"#;

/// A site whose repository is one of Keras programs, and has images of four classes that are easily told apart.
fn site_that_grows(more: &str) -> Site {
    let site = Site::new(&format!(
        "gate = 0.9\ngrow = true\ndata = \"data\"\n{more}\n[[rule]]\nframework = \"keras\"\nimage = \"none\"\n\
         run = \"process\"\ncommand = [\"sh\", \"-c\", {STAND_IN:?}, \"{{entry}}\"]\n"
    ));
    let set = |count| {
        let labels = in_turn(count, 4);
        let pixels: Vec<u8> = (0..count).flat_map(|index| square(index % 4, index)).collect();
        [image_file(6, 6, &pixels), label_file(&labels)]
    };
    let ([train, train_labels], [test, test_labels]) = (set(600), set(100));
    write_set(&site.at("data"), &[train, train_labels, test, test_labels]);
    site
}

/// The texts of a mail's parts, by what their heads say.
fn parts(mail: &str) -> Vec<(String, String)> {
    use base64::Engine;
    let parts = mail.split("\r\n--burgeon-").filter_map(|part| part.split_once("\r\n\r\n"));
    let decoded = parts.filter_map(|(head, body)| {
        let body: String = body.split_whitespace().collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(body).ok()?;
        Some((head.to_owned(), String::from_utf8(bytes).ok()?))
    });
    decoded.collect()
}

#[test]
fn a_program_that_misses_its_gate_is_grown_and_comes_back_as_a_program_in_the_mail() {
    let mut site = site_that_grows("");
    site.serve();
    let commit = site.push(&[("train.py", WEAK)]);
    // Killed while it grows, and while whatever comes after that.
    site.until(|builds| builds.iter().any(|build| !stage(build, "grow").is_null()));
    sleep(Duration::from_millis(300));
    site.kill();
    let address = site.serve();
    let build = site.ended(1).remove(0);
    let log = site.build_log(&build);
    assert_eq!(build["verdict"], "accepted", "{build:#}\n{log}");
    assert_eq!((&build["accuracy"], &build["threshold"]), (&0.97.into(), &0.9.into()));
    for name in ["train", "judge", "grow", "check", "publish"] {
        assert_eq!(stage(&build, name)["state"], "done", "{name}: {build:#}");
    }
    // The program itself is not run again after the kill.
    let starts = fs::read_to_string(site.at("starts.txt")).unwrap();
    assert_eq!(starts, "train.py\nevaluate.py\n");
    for line in ["not carried over: train.py:11: ReduceLROnPlateau", "below the gate"] {
        assert!(log.contains(line), "{line}: {log}");
    }
    let production = site.production();
    for file in ["keras_model.py", "keras.npz", "model.safetensors", "report.md"] {
        assert!(production.join(file).is_file(), "{file}");
    }
    assert!(!production.join("validation.npz").exists(), "images are not published");
    // The source is what it was.
    assert_eq!(site.git("digits.git", &["rev-parse", "main"]), commit);
    assert_eq!(site.git("digits.git", &["log", "--format=%H"]), commit);
    let subject = site.mails(1).remove(0);
    assert!(subject.contains("accepted"), "{subject}");
    let mail = site.mail.deliveries().remove(0).data;
    let parts = parts(&mail);
    let (_, text) = parts.iter().find(|(head, _)| head.contains("text/plain")).unwrap();
    for said in [
        "train.py: The accuracy 25.00 % is below the gate of 90.00 %",
        "97.00 % in Keras",
        "What was changed, and why:",
        "(because ",
        "could not be carried over",
        "ReduceLROnPlateau",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let attached = parts.iter().find(|(head, _)| head.contains("keras_model.py"));
    let (head, program) = attached.unwrap();
    assert!(head.contains("attachment") && head.contains("text/x-python"), "{head}");
    assert_eq!(*program, fs::read_to_string(production.join("keras_model.py")).unwrap());
    let page = |path: &str| {
        let mut answer = ureq::get(format!("{address}{path}")).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    };
    let shown = page("/builds/1");
    for said in
        ["What was changed, and why", "ReduceLROnPlateau", "grown/keras_model.py", "trial 2"]
    {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert_eq!(page("/builds/1/files/grown/keras_model.py"), *program);
}

#[test]
fn a_program_that_cannot_be_grown_is_told_why() {
    let mut site = site_that_grows("");
    site.serve();
    let text = WEAK.replace("layers.Flatten()", "layers.Reshape((6, 6)), layers.LSTM(4)");
    site.push(&[("train.py", &text)]);
    let build = site.ended(1).remove(0);
    assert_eq!(build["verdict"], "not-passed", "{build:#}\n{}", site.build_log(&build));
    let why = build["why"].as_str().unwrap();
    assert!(why.contains("It was not grown: no study can be made of it: train.py:9"), "{why}");
    assert!(why.contains("train.py:9: LSTM: the network is for sequences"), "{why}");
    assert!(stage(&build, "check").is_null(), "{build:#}");
    assert_eq!(build["accuracy"], 0.25);
}
