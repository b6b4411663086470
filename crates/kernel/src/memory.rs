//! Keeps freed memory for the next step instead of giving it back to the system.

/// Tells the C library's allocator to keep what is freed. A training step frees what the next one
/// allocates; with glibc's defaults the pages go back to the system in between, and faulting them
/// in again takes about as long as the step's arithmetic. Call it once, early; elsewhere than on
/// glibc it does nothing.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets numbers of the allocator, and both are within its documented range.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 512 << 20);
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}
