//! Programs of Keras and PyTorch as people write them → studies. `expected.txt` says what each comes to: its layers with
//! their parameters, lines of the study, and parts of what is said not to be carried over.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use burgeon_detect::{Limits, ProgramStudy, program_study};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

/// The programs, each with the folder that it is read in.
fn programs() -> Vec<(String, PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for library in ["keras", "pytorch"] {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(folder().join(library))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            let name = format!("{library}/{}", path.file_name().unwrap().to_string_lossy());
            if path.is_dir() {
                let entry = ["train.py", "main.py"]
                    .into_iter()
                    .find(|file| path.join(file).exists())
                    .unwrap();
                found.push((name, path, entry.into()));
            } else {
                let file = path.file_name().unwrap().into();
                found.push((name, path.parent().unwrap().into(), file));
            }
        }
    }
    found
}

/// What a program came to, as `expected.txt` writes it.
fn told(study: &ProgramStudy) -> String {
    let mut text = String::new();
    let [channels, height, width] = study.input;
    let _ = writeln!(text, "input {channels}x{height}x{width}, {} classes", study.classes);
    for layer in &study.layers {
        let fixed =
            if layer.fixed > 0 { format!(" + {} kept", layer.fixed) } else { String::new() };
        let row = layer.study_layer.map_or(String::new(), |row| format!(" -> {row}"));
        let _ = writeln!(
            text,
            "{}:{} {} {}{fixed}, {}{row}",
            layer.file, layer.line, layer.name, layer.parameters, layer.output
        );
    }
    for line in study.toml.lines().filter(|line| !line.is_empty()) {
        let _ = writeln!(text, "| {line}");
    }
    for lost in &study.lost {
        let _ = writeln!(text, "! {lost}");
    }
    text
}

#[test]
fn every_program_comes_to_the_study_that_is_expected() {
    let mut whole = String::new();
    let mut told_of = BTreeMap::new();
    for (name, root, entry) in programs() {
        let text = match program_study(&root, &entry, &Limits::default()) {
            Ok(study) => told(&study),
            Err(error) => format!("refused: {error}\n"),
        };
        let _ = write!(whole, "=== {name}\n{text}");
        told_of.insert(name, text);
    }
    let path = folder().join("expected.txt");
    if std::env::var("BURGEON_WRITE_EXPECTED").is_ok_and(|value| value == "1") {
        std::fs::write(&path, &whole).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let programs = expected.split("=== ").filter(|part| !part.is_empty());
    let programs: Vec<(&str, &str)> = programs.map(|part| part.split_once('\n').unwrap()).collect();
    assert_eq!(programs.len(), told_of.len(), "a program is not in expected.txt");
    for (name, expected) in programs {
        assert_eq!(told_of[name], expected, "{name}");
    }
}

fn study_of(text: &str) -> Option<ProgramStudy> {
    burgeon_detect::text_study(text)
}

const NET: &str = "import keras\nfrom keras.layers import *\nm = keras.Sequential()\n\
    m.add(Conv2D(n, 3, input_shape=(28, 28, 1)))\nm.add(Flatten())\nm.add(Dense(10, activation='softmax'))\n";

/// Programs that would take for ever, or all memory, if they were run.
#[test]
fn hostile_programs_end_soon() {
    let deep = format!("n = {}8{}\n", "(".repeat(100_000), ")".repeat(100_000));
    let attributes = format!("n = keras{}\n", ".a".repeat(50_000));
    let nested =
        (0..300).map(|level| format!("{}if True:\n", " ".repeat(level))).collect::<String>();
    let loops = format!(
        "for a in range(5000):\n for b in range(5000):\n  for c in range(5000):\n   x = [a] * 9999 + [b] * 9999\n{NET}"
    );
    let programs = [
        "while True:\n  x = 1\n".to_owned() + NET,
        "x = [1]\nwhile True:\n  x = x + x\n".to_owned() + NET,
        "x = 'a'\nwhile True:\n  x = x + x\n  y = f'{x}{x}'\n".to_owned() + NET,
        "n = 10 ** 10 ** 10 ** 10\n".to_owned() + NET,
        "def f(x):\n  return f(f(x)) + f(x)\nn = f(1)\n".to_owned() + NET,
        "d = {}\nd['d'] = d\nl = []\nl.append(l)\nfor x in l:\n  l.append(x)\nn = l[0][0][0]\n".to_owned() + NET,
        "class A(A):\n  def __getattr__(self, n):\n    return self.x\nn = A().x\n".to_owned() + NET,
        "class C:\n  @property\n  def x(self):\n    return self.x\nn = C().x\n".to_owned() + NET,
        "import keras\nx = keras.Input((9, 9, 1))\nwhile True:\n  x = keras.layers.Add()([x, x])\nm = keras.Model(x, x)\n".to_owned(),
        "import keras\nm = keras.Sequential()\nfor i in range(5000):\n  m.add(m)\nm.fit(m)\n".to_owned(),
        "import keras\nm = keras.Sequential([keras.layers.Dense(10 ** 18, input_shape=(10 ** 18,))])\n".to_owned(),
        "import keras\nm = keras.Sequential([keras.layers.Conv2D(9, 0, strides=0, input_shape=(0, -1, 3))])\n".to_owned(),
        "from torch import nn\nm = nn.Sequential(nn.Conv2d(1, 1, 1, 9223372036854775807), nn.Linear(4, 4))\n".to_owned(),
        "from torch import nn\nm = nn.Sequential(nn.Linear(0, 4), nn.Linear(-4, 4))\n".to_owned(),
        deep + NET,
        attributes + NET,
        nested,
        loops,
    ];
    for program in programs {
        let start = std::time::Instant::now();
        let study = study_of(&program);
        let seconds = start.elapsed().as_secs();
        assert!(seconds < 60, "{seconds} s for {:.60}", program);
        if let Some(study) = study {
            assert!(study.layers.len() < 10, "{:.60}", program);
        }
    }
}

/// What a program is refused for, by line and reason.
#[test]
fn what_is_no_study_is_refused_with_its_place_and_reason() {
    let cases = [
        (NET, "4: Conv2D: its `filters` cannot be told: `n` is defined nowhere"),
        (
            "from config import n\n",
            "5: Conv2D: its `filters` cannot be told: it is `config.n`, and the module `config` is not there",
        ),
        ("import sys\nn = int(sys.argv[1])\n", "6: Conv2D: its `filters` cannot be told"),
        ("n = 0\n", "5: Conv2D: its `filters` is 0, which is out of range"),
        (
            "import keras\nx = keras.Input((8, 8, 1))\ny = keras.layers.Conv2D(2, 3, padding='same')(x)\n\
             m = keras.Model(x, keras.layers.concatenate([x, y]))\n",
            "4: keras.layers.concatenate: several paths are joined here",
        ),
        (
            "import keras\na = keras.Input((8, 8, 1))\nb = keras.Input((8, 8, 1))\nm = keras.Model([a, b], a)\n",
            "4: Model: it has 2 inputs; a study's network has one image and one answer",
        ),
        (
            "import keras\nfrom keras.layers import *\nd = Dense(9)\nx = Input((9,))\nm = keras.Model(x, d(d(x)))\n",
            "5: Dense: it is applied twice with the same weights (a shared layer)",
        ),
        (
            "import keras\nfrom keras.layers import *\nm = keras.Sequential([Embedding(9, 9, input_shape=(9,)), LSTM(4), Dense(2)])\n",
            "3: Embedding, LSTM: the network is for sequences, not for images",
        ),
        (
            "import keras\nfrom keras.layers import *\nm = keras.Sequential([Conv2D(4, (3, 1), input_shape=(9, 9, 1)), Flatten(), Dense(2)])\n",
            "3: Conv2D: its `kernel_size` is 3×1; a study's are square",
        ),
        (
            "from torch import nn\nm = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(9, 8, 3), nn.Flatten(), nn.Linear(8, 2))\n",
            "2: Conv2d: it expects 9 channels, but gets 8",
        ),
        (
            "import torchvision\nm = torchvision.models.resnet18()\n",
            "2: resnet18: the network is one that a library ships",
        ),
        ("print('keras')\n", "1: the program: no network of Keras or PyTorch is made in it"),
    ];
    for (text, expected) in cases {
        let text = if text.contains('m') && text.contains("m =") {
            text.to_owned()
        } else {
            format!("{text}{NET}")
        };
        let text = if text.starts_with("print") { "print('keras')\n".to_owned() } else { text };
        let folder = std::env::temp_dir().join(format!("burgeon-detect-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("a.py"), &text).unwrap();
        let error =
            program_study(&folder, Path::new("a.py"), &Limits::default()).unwrap_err().to_string();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(error.contains(&format!("a.py:{expected}")), "{error}\nfor\n{text}");
    }
}

/// Sizes and settings that stand elsewhere than in a literal of the layer, or without their names.
#[test]
fn settings_are_found_where_programs_put_them() {
    let net = NET.replace("n, 3", "8, 3");
    let fit = format!("{net}m.compile('adam')\nm.fit(x, y, 64, 3)\n");
    let loaded = format!(
        "import numpy as np\nx = np.load('x.npz')['x'].reshape(-1, 28, 28, 1) / 255\n{}",
        net.replace("(28, 28, 1)", "x.shape[1:]")
    );
    let cases = [
        (fit.clone(), "epochs = 3\n"),
        (fit, "batch-size = 64\n"),
        (loaded, "filters = 8"),
        (format!("first, *others = [4, 8]\nn = others[0]\n{NET}"), "filters = 8"),
        // A loop of its own, which compiles nothing.
        (format!("{net}o = keras.optimizers.SGD(0.25)\n"), "learning-rate = 0.25\n"),
        (
            "import keras\nfrom keras.layers import *\nn = 4\ni = keras.Input((8, 8, 1))\n\
             x = Conv2D(n, 3, padding='same')(i)\ny = Conv2D(n, 3, padding='same')(x)\n\
             if x.shape[-1] != n:\n  x = Conv2D(n, 1)(x)\n\
             m = keras.Model(i, Dense(2)(Flatten()(Add()([x, y]))))\n"
                .to_owned(),
            "residual",
        ),
    ];
    for (text, expected) in cases {
        let study = study_of(&text).unwrap();
        assert!(study.toml.contains(expected), "{expected} is not in\n{}\nof\n{text}", study.toml);
    }
}

#[test]
fn a_dense_layer_on_rows_and_a_layer_that_a_condition_decides_on_are_told() {
    let rows = "import keras\nfrom keras.layers import *\n\
                m = keras.Sequential([Dense(8, input_shape=(28, 28)), Dense(10)])\n";
    let study = study_of(rows).unwrap();
    assert_eq!(study.layers[0].parameters, 28 * 8 + 8);
    assert!(study.lost.iter().any(|lost| lost.why.contains("it gets rows of 28 pixels")));
    let flat = "m.add(Flatten())\n";
    let decided = format!("{flat}if len(sys.argv) > 5:\n  m.add(Dropout(0.5))\n");
    let text = format!("import sys\n{}", NET.replace("n, 3", "8, 3").replace(flat, &decided));
    let study = study_of(&text).unwrap();
    assert!(study.lost.iter().any(|lost| lost.why.contains("it was taken as true")), "{text}");
}

#[test]
fn augmentation_reaches_as_far_as_the_larger_end_of_its_ranges() {
    let cases = [
        ("RandomZoom((-0.1, 0.3))", "rescale=0.5", "scale = 0.3"),
        ("RandomFlip('horizontal')", "width_shift_range=4, height_shift_range=2", "shift = 4"),
        // The generator replaces the rotation, and brings its border with it.
        ("RandomRotation(0.1, fill_mode='constant')", "rotation_range=20", "border = \"reflect\""),
    ];
    for (layer, generator, expected) in cases {
        let text = format!(
            "import keras\nfrom keras.layers import *\nfrom keras.preprocessing.image import ImageDataGenerator\n\
             g = ImageDataGenerator({generator})\n\
             m = keras.Sequential([Input((28, 28, 1)), {layer}, Flatten(), Dense(10, activation='softmax')])\n"
        );
        let study = study_of(&text).unwrap();
        assert!(study.toml.contains(expected), "{}\nfor\n{text}", study.toml);
    }
}
