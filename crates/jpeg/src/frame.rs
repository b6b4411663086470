//! The frame of a JPEG file: its size, its components, and how much of them has been sent.

use super::plane::{COEFFICIENTS, Plane};

/// Most scans of a progressive file; decoders have the same limit, so that a small file cannot keep them busy.
const SCANS_MAX: usize = 100;

/// A frame of the sequential or the progressive process with Huffman coding.
pub(super) struct Frame {
    pub(super) is_progressive: bool,
    /// Columns and rows.
    pub(super) size: [usize; 2],
    pub(super) components: Vec<Component>,
    /// Minimum coded units of a scan of several components.
    pub(super) units: [usize; 2],
    scans: usize,
}

/// A component of the picture, such as its brightness.
pub(super) struct Component {
    pub(super) id: u8,
    /// The number of its quantization table.
    pub(super) quantization: u8,
    /// Blocks of a unit, across and down.
    pub(super) sampling: [usize; 2],
    /// Blocks across and down that hold some of the picture.
    pub(super) blocks: [usize; 2],
    /// Blocks in a row, including those that pad the last unit.
    pub(super) stride: usize,
    /// By coefficient, the lowest bit that was sent.
    sent: [Option<u8>; COEFFICIENTS],
    /// By block, which coefficients are not zero; kept in progressive files only.
    pub(super) nonzero: Vec<u64>,
    /// The steps of its coefficients, where they are known.
    pub(super) steps: [u16; COEFFICIENTS],
    /// The result of the blocks of a sequential file.
    pub(super) plane: Plane,
}

impl Frame {
    /// Reads a frame header; `None` for kinds of frames that are not read here, for sides longer than
    /// `side_max`, and for invalid headers.
    pub(super) fn read(marker: u8, content: &[u8], side_max: usize) -> Option<Self> {
        let is_progressive = match marker {
            0xc0 | 0xc1 => false,
            0xc2 => true,
            _ => return None,
        };
        let (&[8, h1, h0, w1, w0, count], parts) = content.split_first_chunk()? else {
            return None;
        };
        let size = [u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0])].map(usize::from);
        let is_in_range = |&side: &usize| (1..=side_max).contains(&side);
        if !size.iter().all(is_in_range) || !(1..=4).contains(&count) {
            return None;
        }
        let parts = parts.get(..usize::from(count) * 3)?;
        let samplings = parts.chunks_exact(3).map(|part| [part[1] >> 4, part[1] & 15]);
        let samplings: Vec<_> = samplings.map(|both| both.map(usize::from)).collect();
        if samplings.iter().flatten().any(|sampling| !(1..=4).contains(sampling)) {
            return None;
        }
        let most = |axis: usize| samplings.iter().map(|both| both[axis]).max().unwrap_or(1);
        let most = [most(0), most(1)];
        let units = [0, 1].map(|axis| size[axis].div_ceil(8 * most[axis]));
        let component = |(part, sampling): (&[u8], [usize; 2])| Component {
            id: part[0],
            quantization: part[2],
            sampling,
            blocks: [0, 1]
                .map(|axis| (size[axis] * sampling[axis]).div_ceil(most[axis]).div_ceil(8)),
            stride: units[0] * sampling[0],
            sent: [None; COEFFICIENTS],
            nonzero: match is_progressive {
                true => vec![0; units[0] * sampling[0] * units[1] * sampling[1]],
                false => Vec::new(),
            },
            steps: [0; COEFFICIENTS],
            plane: Plane::default(),
        };
        let components = parts.chunks_exact(3).zip(samplings).map(component).collect();
        Some(Self { is_progressive, size, components, units, scans: 0 })
    }

    /// The finest sampling of its components, across and down.
    pub(super) fn most(&self) -> [usize; 2] {
        let most = |axis: usize| self.components.iter().map(|part| part.sampling[axis]).max();
        [most(0).unwrap_or(1), most(1).unwrap_or(1)]
    }

    pub(super) fn component_with(&self, id: u8) -> Option<usize> {
        self.components.iter().position(|component| component.id == id)
    }

    /// Whether some coefficient of a component was sent.
    pub(super) fn is_begun(&self, component: usize) -> bool {
        self.components[component].sent.iter().any(Option::is_some)
    }

    /// Counts a scan of these components and coefficients; `None` when there are too many.
    pub(super) fn count_scan(
        &mut self,
        components: impl Iterator<Item = usize>,
        [first, last]: [usize; 2],
        low: u8,
    ) -> Option<()> {
        self.scans += 1;
        for component in components {
            self.components[component].sent[first..=last].fill(Some(low));
        }
        (self.scans <= SCANS_MAX).then_some(())
    }

    /// Whether every coefficient of every component was sent to its last bit, as all encoders do. A progressive file that
    /// was truncated between two scans shows the whole picture, but coarsely.
    pub(super) fn is_all_sent(&self) -> bool {
        let mut sent = self.components.iter().flat_map(|component| &component.sent);
        sent.all(|low| *low == Some(0))
    }
}
