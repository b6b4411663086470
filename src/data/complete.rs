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
