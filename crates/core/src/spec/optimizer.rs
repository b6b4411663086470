//! `[train] optimizer`: the optimizers and their parameters.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::tagged::name_or_table;

/// The rule that turns gradients into weight updates: a name, or a table that sets parameters.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum.
    Sgd(SgdParameters),
    /// Adam (Kingma and Ba 2015); weight decay is added to the gradient.
    Adam(AdamParameters),
    /// AdamW (Loshchilov and Hutter 2019); weight decay shrinks the weights themselves.
    AdamW(AdamWParameters),
    /// Muon (Jordan et al. 2024) for the filters of convolutions, whose steps are made nearly orthogonal, at the length of
    /// Adam's (Liu et al. 2025), so that learning rates are those for Adam. All other weights are trained by AdamW. Weight
    /// decay shrinks the weights themselves.
    Muon(MuonParameters),
}

/// What serde derives; [`Optimizer`] also accepts a bare name.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum OptimizerTable {
    Sgd(SgdParameters),
    Adam(AdamParameters),
    AdamW(AdamWParameters),
    Muon(MuonParameters),
}

impl<'de> Deserialize<'de> for Optimizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match name_or_table(deserializer)? {
            OptimizerTable::Sgd(parameters) => Self::Sgd(parameters),
            OptimizerTable::Adam(parameters) => Self::Adam(parameters),
            OptimizerTable::AdamW(parameters) => Self::AdamW(parameters),
            OptimizerTable::Muon(parameters) => Self::Muon(parameters),
        })
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Adam(AdamParameters::default())
    }
}

impl Optimizer {
    /// The name as study files spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd(_) => "sgd",
            Self::Adam(_) => "adam",
            Self::AdamW(_) => "adamw",
            Self::Muon(_) => "muon",
        }
    }

    /// Whether the length of its steps does not depend on that of gradients, so that learning rates for Adam suit it.
    pub(crate) fn is_adaptive(&self) -> bool {
        match self {
            Self::Sgd(_) => false,
            Self::Adam(_) | Self::AdamW(_) | Self::Muon(_) => true,
        }
    }
}

/// Parameters of stochastic gradient descent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SgdParameters {
    /// Share of the previous update that is added to each update, in 0..1.
    pub momentum: f64,
    /// Use Nesterov's momentum (Sutskever et al. 2013).
    pub nesterov: bool,
}

impl Default for SgdParameters {
    fn default() -> Self {
        Self { momentum: 0.9, nesterov: false }
    }
}

/// Parameters of Adam.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AdamParameters {
    /// Decay of the running mean of gradients, in 0..1.
    pub beta_1: f64,
    /// Decay of the running mean of squared gradients, in 0..1.
    pub beta_2: f64,
    /// Added to the denominator, against division by zero.
    pub epsilon: f64,
}

impl Default for AdamParameters {
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8 }
    }
}

/// Parameters of AdamW: Adam's.
pub type AdamWParameters = AdamParameters;

/// Parameters of Muon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MuonParameters {
    /// Share of the previous update that is added to each update, in 0..1, in Nesterov's form.
    pub momentum: f64,
}

impl Default for MuonParameters {
    fn default() -> Self {
        Self { momentum: 0.95 }
    }
}
