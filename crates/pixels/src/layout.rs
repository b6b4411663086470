//! The two orders of an image's bytes: a plane for each channel, or the channels of each pixel together.

/// `[height, width, channels]` → `[channels, height, width]`.
pub fn planes(bytes: &[u8], channels: usize) -> Vec<u8> {
    if channels == 1 {
        return bytes.to_vec();
    }
    let mut planes = vec![0; bytes.len()];
    let len = (bytes.len() / channels).max(1);
    for (channel, plane) in planes.chunks_exact_mut(len).enumerate().take(channels) {
        for (to, pixel) in plane.iter_mut().zip(bytes.chunks_exact(channels)) {
            *to = pixel[channel];
        }
    }
    planes
}

/// `[channels, height, width]` → `[height, width, channels]`.
pub fn interleaved(planes: &[u8], channels: usize) -> Vec<u8> {
    if channels == 1 {
        return planes.to_vec();
    }
    let plane = planes.len() / channels;
    (0..plane).flat_map(|at| (0..channels).map(move |c| planes[c * plane + at])).collect()
}

#[cfg(test)]
mod tests;
