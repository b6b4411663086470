//! The decoded images of a source: from the cache, if it has them for the files as they are now; otherwise they are
//! decoded and cached.

use std::path::{Path, PathBuf};

use burgeon_pixels::Frame;
use sha2::{Digest, Sha256};

use super::decode::{Decoded, Decoding, Sink};
use super::listing::{Content, Entry, Given, Listing};
use super::room::MemoryBudget;
use super::survey::Survey;
use super::{cifar, csv, folder, npz};
use crate::data::cache::{Cache, Fingerprint, Index, Writer, fingerprint};
use crate::data::pixels::MappedPixels;
use crate::data::request::DataRequest;
use crate::data::{DataError, Progress};
use crate::spec::Source;

/// The images that a request asks for, their listing, and the shape that they were brought to.
///
/// # Errors
/// If they cannot be found or read.
pub fn read(
    request: &DataRequest,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(Decoded, Listing, Frame), DataError> {
    let reader = Reader::new(request, progress)?;
    let (frame, listing) = reader.frame()?;
    if let Some((decoded, listing)) = reader.cached(frame)? {
        return Ok((decoded, listing, frame));
    }
    let listing = listing.map_or_else(|| reader.listing(), Ok)?;
    let decoded = reader.decode(&listing, frame, progress)?;
    Ok((decoded, listing, frame))
}

struct Reader<'a> {
    request: &'a DataRequest,
    cache: Option<Cache>,
    /// The listing of a folder of pictures, which is needed in any case; `None` for other sources.
    pictures: Option<Listing>,
    /// The files that hold the images.
    files: Vec<PathBuf>,
    fingerprint: Fingerprint,
}

impl<'a> Reader<'a> {
    fn new(
        request: &'a DataRequest,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Self, DataError> {
        let cache = request.store.cache().unwrap_or_else(|error| {
            progress(Progress::NotCached { reason: &error.chain() });
            None
        });
        let path = root(request);
        let labels = request.framing.labels.as_deref();
        let (pictures, files) = match request.source {
            Source::Cifar => (None, cifar::files(path)),
            Source::Npz => (None, vec![path.to_owned()]),
            Source::Csv => (None, csv::files(path)?.into_iter().map(|(file, _)| file).collect()),
            _ => {
                let listing = folder::list(path, labels)?;
                let files = listing.files();
                (Some(listing), files)
            }
        };
        let fingerprint = fingerprint(&files);
        Ok(Self { request, cache, pictures, files, fingerprint })
    }

    /// The listing; for arrays, this reads all their pixels.
    fn listing(&self) -> Result<Listing, DataError> {
        let (path, store) = (root(self.request), &self.request.store);
        match self.request.source {
            Source::Cifar => cifar::list(path, store),
            Source::Npz => npz::list(path, store),
            Source::Csv => csv::list(path, self.request.framing.size, store),
            _ => match &self.pictures {
                Some(pictures) => Ok(pictures.clone()),
                None => folder::list(path, self.request.framing.labels.as_deref()),
            },
        }
    }

    /// The shape that the images are brought to, from the study or from their own sizes; with the listing, if it was
    /// needed for that.
    fn frame(&self) -> Result<(Frame, Option<Listing>), DataError> {
        let framing = &self.request.framing;
        if let (Some(size), Some(channels)) = (framing.size, framing.channels) {
            return Ok((Survey { size, is_colour: channels == 3 }.frame(framing), None));
        }
        let name = self.name("");
        let note = self.cache.as_ref().and_then(|cache| cache.note(&name, &self.fingerprint));
        if let Some(survey) = note.as_ref().and_then(Survey::of_note) {
            return Ok((survey.frame(framing), None));
        }
        let room = MemoryBudget::of(self.request.store.memory / 2);
        let listing = self.listing()?;
        let survey = Survey::of(&listing, &room, &self.request.stop)?;
        if let Some(cache) = &self.cache {
            cache.write_note(&name, &self.fingerprint, &survey.to_note());
        }
        Ok((survey.frame(framing), Some(listing)))
    }

    /// The images of these files in the cache.
    fn cached(&self, frame: Frame) -> Result<Option<(Decoded, Listing)>, DataError> {
        let found = self.cache.as_ref();
        let found = found.and_then(|cache| cache.open(&self.pixels_name(frame), &self.fingerprint));
        let Some(found) = found else { return Ok(None) };
        let listing = match &self.pictures {
            Some(pictures) => pictures.clone(),
            None => match self.cached_listing(&found) {
                Some(listing) => listing,
                None => return Ok(None),
            },
        };
        let skip_unreadable = self.request.framing.skip_unreadable;
        let decoded = Decoded::cached(found, frame, skip_unreadable, &listing)?;
        Ok(decoded.map(|decoded| (decoded, listing)))
    }

    /// The listing of arrays, from a cache file.
    fn cached_listing(&self, (index, _): &(Index, MappedPixels)) -> Option<Listing> {
        let entry = |(label, given): &(u16, u8)| {
            let given = *Given::ALL.get(usize::from(*given))?;
            Some(Entry { label: *label, given })
        };
        Some(Listing {
            root: root(self.request).into(),
            classes: index.head.classes.clone(),
            entries: index.entries.iter().map(entry).collect::<Option<_>>()?,
            content: Content::Arrays(Vec::new()),
            skipped: Vec::new(),
            unlabelled: index.head.unlabelled.clone(),
        })
    }

    fn decode(
        &self,
        listing: &Listing,
        frame: Frame,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Decoded, DataError> {
        let DataRequest { store, framing, stop, .. } = self.request;
        let decoding = Decoding {
            frame,
            skip_unreadable: framing.skip_unreadable,
            memory: store.memory,
            stop,
        };
        let (count, image_len) = (listing.entries.len(), frame.shape().iter().product::<usize>());
        let unchanged = || fingerprint(&self.files) == self.fingerprint;
        let in_file = self.cache.as_ref().map(|cache| {
            let name = self.pixels_name(frame);
            let bytes = (count as u64).saturating_mul(image_len as u64);
            let writer = Writer::begin(cache, bytes)?;
            let sink = Sink::File(Box::new(writer), &name);
            decoding.run(listing, sink, &self.fingerprint, &unchanged, progress)
        });
        match in_file {
            // Training is possible without the cache.
            Some(Err(DataError::File(error))) => {
                let reason = DataError::File(error).chain();
                progress(Progress::NotCached { reason: &reason });
            }
            Some(decoded) => return decoded,
            None => {}
        }
        let sink = Sink::memory(count, image_len, store.memory)?;
        decoding.run(listing, sink, &self.fingerprint, &unchanged, progress)
    }

    fn pixels_name(&self, Frame { channels, height, width, fit, background }: Frame) -> String {
        self.name(&format!("{channels}x{height}x{width} {fit:?} {background}"))
    }

    /// A name in the cache for what is made from the files of this source, so that newer versions replace older ones.
    fn name(&self, made: &str) -> String {
        let path = root(self.request);
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let framing = &self.request.framing;
        let mut hash = Sha256::new();
        hash.update(path.as_os_str().as_encoded_bytes());
        let source = self.request.source.name();
        hash.update(format!("\0{source}\0{made}\0{:?}\0", framing.labels));
        if self.request.source == Source::Csv {
            // The number of channels of a line depends on it.
            hash.update(format!("{:?}", framing.size));
        }
        hex::encode(&hash.finalize()[..16])
    }
}

fn root(request: &DataRequest) -> &Path {
    request.path.as_deref().unwrap_or(Path::new("."))
}
