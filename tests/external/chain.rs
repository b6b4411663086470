//! The whole way with nothing replaced: a push to a bare repository, its hook, the service, a container of the trainer's
//! image, real MNIST, a gate that is missed and then passed, a published model, and mail over TLS at a real server.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::mail::missing as mail_missing;
use crate::mnist_files::real_mnist;
use crate::site::Site;
use crate::skipping::{Group, tests};

/// Made by `.ci/containers`.
pub const IMAGE: &str = "burgeon:trainer";
/// Made by `.ci/images --keras`.
const KERAS_IMAGE: &str = "burgeon-base/keras";

pub fn group() -> Group {
    Group {
        name: "chain",
        missing: missing(),
        tests: tests![a_push_becomes_a_published_model_and_a_mail_by_way_of_a_container],
    }
}

pub fn keras_group() -> Group {
    Group {
        name: "chain",
        missing: missing_image(KERAS_IMAGE).or_else(missing),
        tests: tests![a_keras_program_is_found_trained_in_its_own_image_and_held_to_the_gate],
    }
}

pub fn missing() -> Option<String> {
    if let Some(missing) = missing_image(IMAGE) {
        return Some(missing);
    }
    if real_mnist().is_none() {
        return Some("no MNIST".into());
    }
    mail_missing()
}

fn missing_image(image: &str) -> Option<String> {
    let found = Command::new("docker").args(["image", "inspect", image]).output();
    let is_there = found.is_ok_and(|output| output.status.success());
    (!is_there).then(|| {
        format!("no container engine with the image {image} (see .ci/containers and .ci/images)")
    })
}

/// The rule that has studies trained in containers.
pub fn study_rule() -> String {
    format!(
        "kind = \"study\"\nimage = {IMAGE:?}\ncommand = [\"supervise\", \"--\", \"tune\", \"{{entry}}\"]"
    )
}

/// The containers of builds that there are, ended ones among them.
pub fn containers() -> String {
    let found = Command::new("docker")
        .args(["ps", "-aq", "--filter", "label=io.burgeon.build"])
        .output()
        .unwrap();
    String::from_utf8(found.stdout).unwrap()
}

fn a_push_becomes_a_published_model_and_a_mail_by_way_of_a_container() {
    let mut site = Site::new(&["digits"], "", &study_rule());
    let seedling = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/seedling.toml");
    fs::copy(seedling, site.at("work-digits/study.toml")).unwrap();
    let (build, log) = site.built("digits");
    assert_eq!(build["verdict"], "accepted", "{build:#}\n{log}");
    // The seedling is far too small: its first trial misses the gate, and a grown one passes.
    assert!(log.contains("below the gate") && log.contains("grown from trial 1"), "{log}");
    assert!(site.at("state/models/digits/production/model.onnx").is_file());
    let subject = site.mailed(1);
    assert!(
        subject.starts_with("[burgeon] digits main ") && subject.contains(" accepted: 9"),
        "{subject}"
    );
    assert_eq!(containers(), "", "no container is left");
}

/// A program as people write them, but that it reads MNIST where the repository's `data` is.
const KERAS: &str = r#"
import gzip, os
import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

def read(name, offset):
    path = os.path.join("/data", name)
    opened = gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb")
    with opened as file:
        return np.frombuffer(file.read(), np.uint8, offset=offset)

x = read("train-images-idx3-ubyte", 16).reshape(-1, 28, 28, 1)[:12000] / 255.0
y = read("train-labels-idx1-ubyte", 8)[:12000]
model = keras.Sequential([
    layers.Conv2D(8, 3, activation="relu", input_shape=(28, 28, 1)),
    layers.MaxPooling2D(),
    layers.Flatten(),
    layers.Dense(10, activation="softmax"),
])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x[:10000], y[:10000], epochs=1, verbose=2)
accuracy = model.evaluate(x[10000:], y[10000:], verbose=0)[1]
model.save("model.keras")
with open("accuracy.txt", "w") as file:
    file.write(str(accuracy))
"#;

fn a_keras_program_is_found_trained_in_its_own_image_and_held_to_the_gate() {
    let rule = format!(
        "framework = \"keras\"\nimage = {KERAS_IMAGE:?}\ncommand = [\"python3\", \"{{entry}}\"]\nmodel = [\"model.keras\"]"
    );
    let mut site = Site::new(&["digits"], "gate = 0.7", &rule);
    fs::write(site.at("work-digits/train.py"), KERAS).unwrap();
    let (build, log) = site.built("digits");
    assert_eq!(build["verdict"], "accepted", "{build:#}\n{log}");
    assert!(site.at("state/models/digits/production/model.keras").is_file());
    let subject = site.mailed(1);
    assert!(subject.contains(" accepted: "), "{subject}");
    // The gate holds, a figure that was there before does not count, and the published model stays.
    let published = fs::read_link(site.at("state/models/digits/production")).unwrap();
    fs::write(site.at("work-digits/accuracy.txt"), "0.99").unwrap();
    fs::write(
        site.at("work-digits/train.py"),
        KERAS.replace("x[:10000], y[:10000]", "x[:64], y[:64]"),
    )
    .unwrap();
    let (build, log) = site.built("digits");
    assert_eq!(build["verdict"], "not-passed", "{build:#}\n{log}");
    assert_eq!(fs::read_link(site.at("state/models/digits/production")).unwrap(), published);
}
