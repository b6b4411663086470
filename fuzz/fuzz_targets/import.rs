//! Weights of other programs against the layers of studies, as `burgeon import` takes them.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use burgeon::model::Weights;
use burgeon::spec::{InputShape, Spec, StudyDocument};
use burgeon::unstable::model::import_pytorch;
use libfuzzer_sys::fuzz_target;

const STUDIES: [&str; 3] = [
    r#"{ conv = { filters = 2, kernel = 3, activation = "none" } }, { batch-norm = { activation = "relu" } },
       { residual = { layers = [{ conv = { filters = 4, kernel = 3, stride = 2, activation = "none" } }, "batch-norm"] } },
       "global-avg-pool""#,
    "{ conv = { filters = 2, kernel = 3 } }, { max-pool = { size = 2 } }, { dense = { units = 3 } }",
    "{ dense = { units = 3 } }, { dense = { units = 3 } }",
];

static SPECS: LazyLock<Vec<Spec>> = LazyLock::new(|| {
    let input = InputShape { channels: 1, height: 8, width: 8, classes: 3 };
    let spec = |layers| {
        let text = format!("[model]\nlayers = [{layers}]\n");
        StudyDocument::new("fuzzed.toml", text).validate(input).expect("the study is sound")
    };
    STUDIES.map(spec).into()
});

fuzz_target!(|file: &[u8]| {
    for spec in SPECS.iter() {
        let (weights, report) = match import_pytorch(spec, file) {
            Ok(imported) => imported,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        // Whatever the file holds, the network is whole, of its own shapes, and can be computed with.
        let own = Weights::initial(spec, 1);
        let shapes = |weights: &Weights| -> Vec<(String, Vec<usize>)> {
            weights.iter().map(|(name, array)| (name.to_owned(), array.shape.clone())).collect()
        };
        assert_eq!(shapes(&weights), shapes(&own));
        assert!(weights.iter().all(|(_, array)| array.values.iter().all(|value| value.is_finite())));
        // Every array of the network is accounted for once.
        let mut of_network = BTreeSet::new();
        for taken in &report.taken {
            assert!(of_network.insert(taken.to.clone()), "{} is taken twice", taken.to);
        }
        for reason in report.implied.iter().chain(&report.missing) {
            assert!(of_network.insert(reason.name.clone()), "{} is told twice", reason.name);
        }
        assert_eq!(of_network.len(), shapes(&own).len());
        // And so is every array of the file.
        let mut of_file = BTreeSet::new();
        let names = report.taken.iter().map(|taken| &taken.from);
        let others = report.ignored.iter().chain(&report.unused).map(|reason| &reason.name);
        for name in names.chain(others) {
            assert!(of_file.insert(name), "{name} is told twice");
        }
        let is_whole = report.missing.is_empty() && report.unused.is_empty();
        assert_eq!(report.is_complete(), is_whole);
    }
});
