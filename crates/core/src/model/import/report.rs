//! What came of an import, array by array.

/// What came of an import: every array of the file and of the network is in one of the lists.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImportReport {
    /// Arrays that were taken over.
    pub taken: Vec<Taken>,
    /// Arrays of the network that the file lacks and whose value follows from that, such as a bias of 0.
    pub implied: Vec<Reason>,
    /// Arrays of the file that have no meaning after training, such as the number of batches.
    pub ignored: Vec<Reason>,
    /// Arrays of the network that nothing in the file fits.
    pub missing: Vec<Reason>,
    /// Arrays of the file that fit nowhere.
    pub unused: Vec<Reason>,
}

/// An array of the file and the array of the network that it became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its name in the file.
    pub from: String,
    /// Its name in the network, as [`Weights`](crate::model::Weights) documents.
    pub to: String,
    /// Its shape in the file.
    pub shape: Vec<usize>,
}

/// An array, and why it is in its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Its name.
    pub name: String,
    /// Its shape, as PyTorch has it.
    pub shape: Vec<usize>,
    /// A clause.
    pub why: String,
}

impl ImportReport {
    /// Whether everything fits: nothing is missing, and nothing unused.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty()
    }
}
