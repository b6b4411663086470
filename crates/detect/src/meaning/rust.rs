//! burn, in Rust.

use super::{Framework, Meaning, Part};

const BURN: Framework = Framework::Burn;

/// What a path under `burn` means where it is called, with `::` between its parts.
pub fn meanings(path: &str) -> Vec<Meaning> {
    let parts: Vec<&str> = path.split("::").collect();
    let [.., class, function] = parts.as_slice() else { return Vec::new() };
    let made = matches!(*function, "new" | "default");
    let part = match *class {
        "LearnerBuilder" | "SupervisedTraining" | "Learner" if made => {
            return vec![Meaning::Trains(BURN)];
        }
        "GradientsParams" => return vec![Meaning::Trains(BURN)],
        class if !made || !class.ends_with("Config") => return Vec::new(),
        class
            if class.contains("Optimizer")
                || ["AdamConfig", "SgdConfig", "AdamWConfig", "RmsPropConfig"].contains(&class) =>
        {
            return vec![Meaning::Trains(BURN)];
        }
        "LinearConfig" => Part::Dense,
        "LayerNormConfig" => Part::LayerNorm,
        class if class.starts_with("Conv") || class.starts_with("DeformConv") => Part::Convolution,
        class if ["Lstm", "BiLstm", "Gru", "Rnn"].iter().any(|word| class.starts_with(word)) => {
            Part::Recurrent
        }
        class if class.starts_with("Transformer") || class.starts_with("MultiHeadAttention") => {
            Part::Transformer
        }
        _ => Part::Other,
    };
    vec![Meaning::Layer(BURN, part)]
}
