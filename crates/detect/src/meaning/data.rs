//! The data that a program names: data sets of libraries, and files.

use serde::Serialize;

use crate::source::facts::{Call, Value, last};
use crate::text::one_line;

/// Data that a program names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "name")]
pub enum Datum {
    /// A data set that a library brings or fetches, such as `mnist`.
    Set(String),
    /// A file or folder, as the program names it.
    Path(String),
    /// It is named by what only running the program tells; as it is written.
    Unresolved(String),
}

/// Data sets under names of their own, by how they are written with only small letters and digits.
const SETS: [(&str, &str); 44] = [
    ("mnist", "mnist"),
    ("mnist784", "mnist"),
    ("mnistoriginal", "mnist"),
    ("mnistdataset", "mnist"),
    ("fashionmnist", "fashion_mnist"),
    ("kmnist", "kmnist"),
    ("emnist", "emnist"),
    ("qmnist", "qmnist"),
    ("cifar", "cifar10"),
    ("cifar10", "cifar10"),
    ("cifar100", "cifar100"),
    ("svhn", "svhn"),
    ("stl10", "stl10"),
    ("imagenet", "imagenet"),
    ("imagenet2012", "imagenet"),
    ("celeba", "celeba"),
    ("usps", "usps"),
    ("omniglot", "omniglot"),
    ("caltech101", "caltech101"),
    ("flowers102", "flowers102"),
    ("food101", "food101"),
    ("oxfordiiitpet", "oxford_iiit_pet"),
    ("vocdetection", "pascal_voc"),
    ("vocsegmentation", "pascal_voc"),
    ("cocodetection", "coco"),
    ("cocococaptions", "coco"),
    ("imdb", "imdb"),
    ("imdbreviews", "imdb"),
    ("reuters", "reuters"),
    ("bostonhousing", "boston_housing"),
    ("boston", "boston_housing"),
    ("californiahousing", "california_housing"),
    ("iris", "iris"),
    ("digits", "digits"),
    ("wine", "wine"),
    ("breastcancer", "breast_cancer"),
    ("diabetes", "diabetes"),
    ("20newsgroups", "20newsgroups"),
    ("olivettifaces", "olivetti_faces"),
    ("lfwpeople", "lfw"),
    ("covtype", "covtype"),
    ("titanic", "titanic"),
    ("agnews", "ag_news"),
    ("wikitext2", "wikitext2"),
];

/// The name of a data set, however it is written; an unknown one in small letters.
fn set(name: &str) -> Datum {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_lowercase();
    let known =
        SETS.iter().find(|(written, _)| *written == plain).map(|(_, name)| (*name).to_owned());
    Datum::Set(known.unwrap_or_else(|| one_line(&name.to_lowercase().replace(['-', ' '], "_"), 60)))
}

fn is_known(name: &str) -> bool {
    matches!(set(name), Datum::Set(known) if SETS.iter().any(|(_, name)| *name == known))
}

/// The data that a call names.
pub fn named(call: &Call) -> Option<Datum> {
    let path = call.path.as_str();
    let parts: Vec<&str> = path.split('.').collect();
    let name = last(path);
    let first = |names: &[&str]| call.arg(0, names);
    match parts.as_slice() {
        ["keras", "datasets", set_name, .., "load_data"] => Some(set(set_name)),
        // Of TensorFlow's tutorials, or a copy of it beside the program.
        [.., "read_data_sets"] => Some(set("mnist")),
        ["tensorflow", "contrib", "learn", "datasets", set_name, ..] => Some(set(set_name)),
        ["tensorflow_datasets", "load" | "builder"]
        | ["datasets", "load_dataset"]
        | ["seaborn", "load_dataset"]
        | ["medmnist", ..] => by_argument(first(&["name", "path"]), set),
        ["tflearn", "datasets", set_name, "load_data"] => Some(set(set_name)),
        ["torchvision", "datasets", "ImageFolder" | "DatasetFolder"] => {
            by_argument(first(&["root"]), file)
        }
        ["torchvision" | "torchtext" | "torchaudio" | "torch_geometric", "datasets", ..]
            if !path.ends_with(".splits") =>
        {
            Some(set(name.trim_end_matches("Dataset")))
        }
        ["sklearn", "datasets", .., "fetch_openml" | "fetch_mldata"] => {
            by_argument(first(&["name", "dataname"]), set)
        }
        ["sklearn", "datasets", .., "load_files" | "load_svmlight_file"] => {
            by_argument(first(&["container_path", "f"]), file)
        }
        ["sklearn", "datasets", ..] => {
            let rest = name.strip_prefix("load_").or_else(|| name.strip_prefix("fetch_"));
            let rest = rest.or_else(|| name.strip_prefix("make_").map(|_| name))?;
            Some(set(rest))
        }
        [
            "pandas",
            "read_csv" | "read_table" | "read_excel" | "read_parquet" | "read_json" | "read_hdf"
            | "read_pickle" | "read_feather",
        ]
        | ["numpy", "load" | "loadtxt" | "genfromtxt" | "fromfile"]
        | ["h5py", "File"]
        | ["scipy", "io", "loadmat"]
        | ["glob", ..]
        | ["polars", "read_csv" | "scan_csv" | "read_parquet"]
        | ["os", "listdir"] => {
            by_argument(first(&["filepath_or_buffer", "io", "path", "pathname"]), file)
        }
        ["xgboost", "DMatrix"] | ["lightgbm", "Dataset"] => text_alone(first(&["data"]), file),
        [
            "keras",
            "utils" | "preprocessing",
            ..,
            "image_dataset_from_directory" | "text_dataset_from_directory",
        ]
        | ["keras", "preprocessing", "image", "load_img"]
        | ["keras", "utils", "get_file"] => {
            by_argument(first(&["directory", "path", "fname"]), file)
        }
        ["", "flow_from_directory"] => by_argument(first(&["directory"]), file),
        ["open"] if writes(call) => None,
        ["open"] | ["", "open"] => text_alone(first(&["file"]), file).filter(is_data_file),
        ["r:data"]
        | [
            "r:read.csv" | "r:read_csv" | "r:fread" | "r:read.table" | "r:readRDS" | "r:read_excel"
            | "r:read.delim",
        ] => {
            let make = if path == "r:data" { set } else { file };
            by_argument(first(&["file", "input"]), make)
        }
        _ => in_other_languages(path, call),
    }
}

fn in_other_languages(path: &str, call: &Call) -> Option<Datum> {
    if let Some(name) = path.strip_prefix("r:dataset_") {
        return is_known(name).then(|| set(name));
    }
    if let Some(name) = path.strip_prefix("r:=") {
        return is_known(name).then(|| set(name));
    }
    if path.starts_with("r:") && path.ends_with("_dataset") {
        let name = path.trim_start_matches("r:").trim_end_matches("_dataset");
        return is_known(name).then(|| set(name));
    }
    let rust = path.strip_prefix("rust:")?;
    let mut parts = rust.rsplit("::");
    let (_, class) = (parts.next()?, parts.next()?);
    if class == "ImageFolderDataset" {
        return by_argument(call.at(0), file);
    }
    let name = class.strip_suffix("Dataset").filter(|name| is_known(name))?;
    Some(set(name))
}

fn by_argument(value: Option<&Value>, make: fn(&str) -> Datum) -> Option<Datum> {
    match value? {
        Value::Text(text) => Some(make(text)),
        Value::OneOf(texts) if !texts.is_empty() => Some(make(&texts[0])),
        Value::Unknown(written) => Some(Datum::Unresolved(written.clone())),
        Value::Name(written) | Value::CallOf(written) => {
            Some(Datum::Unresolved(one_line(written, 60)))
        }
        _ => None,
    }
}

fn text_alone(value: Option<&Value>, make: fn(&str) -> Datum) -> Option<Datum> {
    value?.texts().first().map(|text| make(text))
}

fn file(path: &str) -> Datum {
    Datum::Path(one_line(path, 200))
}

/// Whether a file is opened to be written.
fn writes(call: &Call) -> bool {
    let mode = call.arg(1, &["mode"]).map(Value::texts).unwrap_or_default();
    mode.iter().any(|mode| mode.starts_with(['w', 'a', 'x']))
}

fn is_data_file(datum: &Datum) -> bool {
    const ENDINGS: [&str; 12] = [
        ".csv", ".tsv", ".npz", ".npy", ".h5", ".hdf5", ".parquet", ".arff", ".data", ".txt",
        ".pkl", ".mat",
    ];
    matches!(datum, Datum::Path(path) if ENDINGS.iter().any(|ending| path.to_lowercase().ends_with(ending)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_data_set_has_one_name() {
        for written in ["MNIST", "mnist_784", "Mnist", "mnist"] {
            assert_eq!(set(written), Datum::Set("mnist".into()), "{written}");
        }
        assert_eq!(set("FashionMNIST"), Datum::Set("fashion_mnist".into()));
        assert_eq!(set("My-Set"), Datum::Set("my_set".into()));
    }
}
