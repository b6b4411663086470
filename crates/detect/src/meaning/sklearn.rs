//! scikit-learn's estimators, and the libraries of boosted trees. Scalers, splits, metrics and decompositions
//! train nothing that somebody would want to ship.

use super::{Family, Framework, Meaning};
use crate::source::facts::{Call, last};

/// What a call of scikit-learn or of a library of boosted trees means.
pub fn meanings(call: &Call) -> Vec<Meaning> {
    let path = call.path.as_str();
    let name = last(path);
    let parts: Vec<&str> = path.split('.').collect();
    match parts.as_slice() {
        ["sklearn", module, ..] => estimator(module, name, call),
        ["imblearn", "ensemble", ..] if is_estimator(name) => {
            model(Framework::ScikitLearn, Family::Trees)
        }
        ["sklearn_extra", "cluster", ..] => model(Framework::ScikitLearn, Family::Clustering),
        ["xgboost", ..] => boosted(Framework::Xgboost, name, "XGB"),
        ["lightgbm", ..] => boosted(Framework::Lightgbm, name, "LGBM"),
        ["catboost", ..] => boosted(Framework::Catboost, name, "CatBoost"),
        _ => Vec::new(),
    }
}

fn model(framework: Framework, family: Family) -> Vec<Meaning> {
    vec![Meaning::Model(framework, family)]
}

fn boosted(framework: Framework, name: &str, prefix: &str) -> Vec<Meaning> {
    if name == "train" || name == "cv" {
        return vec![Meaning::Model(framework, Family::Trees), Meaning::Trains(framework)];
    }
    if name.starts_with(prefix) { model(framework, Family::Trees) } else { Vec::new() }
}

fn is_estimator(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
}

fn estimator(module: &str, name: &str, call: &Call) -> Vec<Meaning> {
    const SKLEARN: Framework = Framework::ScikitLearn;
    if module == "model_selection" || module == "grid_search" || module == "cross_validation" {
        let trains = matches!(name, "cross_val_score" | "cross_validate" | "cross_val_predict");
        return trains.then_some(Meaning::Trains(SKLEARN)).into_iter().collect();
    }
    if !is_estimator(name) {
        return Vec::new();
    }
    let family = match module {
        "ensemble" if name.starts_with("Voting") || name.starts_with("Stacking") => {
            return vec![Meaning::Builds(SKLEARN)];
        }
        "ensemble" | "tree" => Family::Trees,
        "linear_model" | "discriminant_analysis" | "cross_decomposition" | "isotonic" => {
            Family::Linear
        }
        "svm" if name.starts_with("Linear") || has_linear_kernel(call) => Family::Linear,
        "svm" | "gaussian_process" | "kernel_ridge" => Family::Kernel,
        "neighbors" => Family::Neighbours,
        "naive_bayes" | "mixture" => Family::Bayes,
        "neural_network" => Family::Mlp,
        "cluster" => Family::Clustering,
        _ => return Vec::new(),
    };
    model(SKLEARN, family)
}

fn has_linear_kernel(call: &Call) -> bool {
    call.named("kernel").is_some_and(|kernel| kernel.texts() == ["linear"])
}
