//! Softmax cross-entropy with label smoothing.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// Mean over the batch of −Σ qᵢ log pᵢ, in nats, where p is the softmax of the logits and q puts
/// 1 − `smoothing` on the label and spreads `smoothing` evenly over all classes (Szegedy et al.
/// 2016). `logits` is `[batch, classes]`, `labels` is `[batch]`; the result is `[1]`.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let log_p = log_softmax(logits, 1);
    let of_label = log_p.clone().gather(1, labels.unsqueeze_dim(1)).mean();
    if smoothing == 0.0 {
        return of_label.neg();
    }
    let of_all = log_p.mean();
    of_label.mul_scalar(smoothing - 1.0) - of_all.mul_scalar(smoothing)
}
