//! The events of streams of changes.

/// What changed, as the JSON that pages receive: `{"builds":[12],"deliveries":true}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct News {
    /// Builds that changed, or whose log grew.
    pub(super) builds: Vec<i64>,
    /// Whether there are new deliveries.
    pub(super) deliveries: bool,
    /// Whether there are other retrainings, or a registry waits for something else.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) retraining: bool,
    /// Whether the health of a thread of the service changed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) health: bool,
}
