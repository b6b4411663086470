//! What streams of changes tell.

/// What changed, as the JSON that pages are told: `{"builds":[12],"deliveries":true}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct News {
    /// Builds that changed, or whose log grew.
    pub(super) builds: Vec<i64>,
    /// Whether there are new deliveries.
    pub(super) deliveries: bool,
    /// Whether a thread of the service fell ill or got well.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) health: bool,
}
