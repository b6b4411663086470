//! R's packages: keras, torch, caret, tidymodels, forests, boosted trees, and the models of base R.

use super::{Family, Framework, Meaning, Part};
use crate::source::facts::{Call, Value};

const R: Framework = Framework::R;

/// What a call of a function of this name means.
pub fn meanings(name: &str, call: &Call) -> Vec<Meaning> {
    let layer = |part| vec![Meaning::Layer(R, part)];
    let model = |family| vec![Meaning::Model(R, family), Meaning::Trains(R)];
    match name {
        "layer_dense" | "nn_linear" | "nnf_linear" => layer(Part::Dense),
        "layer_lstm"
        | "layer_gru"
        | "layer_simple_rnn"
        | "bidirectional"
        | "layer_bidirectional"
        | "layer_cudnn_lstm"
        | "nn_lstm"
        | "nn_gru"
        | "nn_rnn" => layer(Part::Recurrent),
        "layer_multi_head_attention" | "nn_multihead_attention" => layer(Part::Transformer),
        "nn_relu" | "nnf_relu" | "layer_activation_relu" => layer(Part::Activation),
        "keras_model_sequential" | "keras_model" | "nn_module" | "nn_sequential" => {
            vec![Meaning::Builds(R)]
        }
        "optim_adam" | "optim_sgd" | "optim_rmsprop" | "fit" | "fit_generator" => {
            vec![Meaning::Trains(R)]
        }
        name if name.starts_with("application_")
            || name.starts_with("model_resnet")
            || name.starts_with("model_vgg") =>
        {
            vec![Meaning::Model(R, Family::Cnn)]
        }
        name if name.contains("_conv_")
            || name.starts_with("nn_conv")
            || name.starts_with("nnf_conv") =>
        {
            layer(Part::Convolution)
        }
        name if name.starts_with("layer_") => layer(Part::Other),
        "train" => caret(call),
        "randomForest" | "ranger" | "rpart" | "ctree" | "cforest" | "gbm" | "xgboost"
        | "xgb.train" | "lgb.train" | "lightgbm" | "lgb.cv" | "xgb.cv" | "h2o.gbm"
        | "h2o.randomForest" | "C5.0" => model(Family::Trees),
        "rand_forest" | "boost_tree" | "decision_tree" => vec![Meaning::Model(R, Family::Trees)],
        "linear_reg" | "logistic_reg" => vec![Meaning::Model(R, Family::Linear)],
        "lm" | "glm" | "glmnet" | "cv.glmnet" | "multinom" | "lda" | "polr" | "lmer" => {
            model(Family::Linear)
        }
        "svm" | "ksvm" if call.named("kernel").is_some_and(|it| it.texts() == ["linear"]) => {
            model(Family::Linear)
        }
        "svm" | "ksvm" | "gausspr" => model(Family::Kernel),
        "naiveBayes" | "naive_bayes" => model(Family::Bayes),
        "knn" | "kknn" | "knn3" => model(Family::Neighbours),
        "nnet" | "neuralnet" | "mlp" | "h2o.deeplearning" => model(Family::Mlp),
        "kmeans" | "hclust" | "pam" => model(Family::Clustering),
        _ => Vec::new(),
    }
}

/// `train(y ~ ., method = "rf")` of caret.
fn caret(call: &Call) -> Vec<Meaning> {
    let method = match call.named("method") {
        Some(Value::Text(method)) => method.as_str(),
        _ => return Vec::new(),
    };
    let family = match method {
        "rf" | "ranger" | "gbm" | "xgbTree" | "xgbDART" | "rpart" | "C5.0" | "treebag"
        | "cforest" | "ctree" | "parRF" | "ada" | "adaboost" => Family::Trees,
        "glm" | "lm" | "glmnet" | "lda" | "multinom" | "svmLinear" | "ridge" | "lasso" | "pls"
        | "LogitBoost" | "xgbLinear" => Family::Linear,
        "svmRadial" | "svmPoly" => Family::Kernel,
        "knn" | "kknn" => Family::Neighbours,
        "nb" | "naive_bayes" => Family::Bayes,
        "nnet" | "mlp" | "avNNet" => Family::Mlp,
        _ => return vec![Meaning::Builds(R), Meaning::Trains(R)],
    };
    vec![Meaning::Model(R, family), Meaning::Trains(R)]
}
