//! Checks that picture files are complete, for formats whose decoders do not notice a missing end. The error says what is
//! missing.

/// Checks that a WebP file is as long as it says.
pub(crate) fn webp(bytes: &[u8]) -> Result<(), &'static str> {
    let declared = bytes.get(4..8).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    match declared {
        Some(declared) if bytes.len() as u64 >= u64::from(declared) + 8 => Ok(()),
        _ => Err("its last chunks are missing"),
    }
}

/// Checks that every chunk of a PNG file is there, including the last one; returns the content of its EXIF chunk.
///
/// Decoders stop at the last row of pixels, and do not see EXIF data that follows it.
pub(crate) fn png(bytes: &[u8]) -> Result<Option<&[u8]>, &'static str> {
    const SIGNATURE_LEN: usize = 8;
    let mut exif = None;
    let mut rest = bytes.get(SIGNATURE_LEN..).unwrap_or_default();
    loop {
        let (head, after) = rest.split_at_checked(8).ok_or("its IEND chunk is missing")?;
        let len = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (content, after) =
            after.split_at_checked(len).ok_or("a chunk lacks part of its content")?;
        let (_checksum, after) = after.split_at_checked(4).ok_or("a chunk lacks its checksum")?;
        match &head[4..] {
            b"IEND" => return Ok(exif),
            // Some writers put JPEG's prefix before it.
            b"eXIf" => exif = Some(content.strip_prefix(b"Exif\0\0").unwrap_or(content)),
            _ => {}
        }
        rest = after;
    }
}

/// Checks that every block of a GIF file is there, including its trailer, also those after the first frame.
pub(crate) fn gif(bytes: &[u8]) -> Result<(), &'static str> {
    const HEADER_LEN: usize = 6;
    const EXTENSION: u8 = 0x21;
    const FRAME: u8 = 0x2c;
    const TRAILER: u8 = 0x3b;
    let screen = "its header is cut";
    let rest = bytes.get(HEADER_LEN..).unwrap_or_default();
    let (descriptor, rest) = rest.split_at_checked(7).ok_or(screen)?;
    let mut rest = rest.get(colour_table_len(descriptor[4])..).ok_or(screen)?;
    loop {
        let (kind, after) = rest.split_first().ok_or("its trailer is missing")?;
        rest = match *kind {
            TRAILER => return Ok(()),
            // A label, before its data.
            EXTENSION => after_data(after.get(1..).unwrap_or_default())?,
            FRAME => {
                let frame = "the header of a frame is cut";
                let (descriptor, after) = after.split_at_checked(9).ok_or(frame)?;
                // The colours, and a byte for the width of codes.
                let after = after.get(colour_table_len(descriptor[8]) + 1..).ok_or(frame)?;
                after_data(after)?
            }
            // Nothing that the format knows; whether it matters is left to the decoder.
            _ => return Ok(()),
        };
    }
}

/// Bytes of the colour table that these flags announce.
fn colour_table_len(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// What follows blocks of data, each of which begins with its length; an empty one is the last.
fn after_data(mut rest: &[u8]) -> Result<&[u8], &'static str> {
    loop {
        let (len, after) = rest.split_first().ok_or("a block of data is missing")?;
        rest = after.get(usize::from(*len)..).ok_or("a block of data is cut")?;
        if *len == 0 {
            return Ok(rest);
        }
    }
}
