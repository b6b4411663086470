//! Explains SIGBUS: a process receives it when it reads a mapped file that was truncated, or whose disk failed.

/// Installs a handler for SIGBUS that prints an explanation to standard error before the signal ends the process as
/// usual. Only for the command: a library must leave signals to its program.
#[cfg(unix)]
pub fn explain_bus_errors() {
    #[expect(
        unsafe_code,
        reason = "only a signal handler learns of a failed read of a mapped file"
    )]
    // SAFETY: the action is fully initialized, and its handler calls only `write`, which is async-signal-safe. The
    // handler is then reset to the default, so that the failed read, which is repeated, ends the process.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = explain as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESETHAND;
        libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut());
    }
}

#[cfg(unix)]
extern "C" fn explain(_signal: libc::c_int) {
    const WHY: &[u8] =
        b"error: a file of decoded images was cut short, or its disk failed, while it was read; \
        run burgeon again: it checks the file, and decodes the images again\n";
    #[expect(unsafe_code, reason = "the only way to write that signal handlers may use")]
    // SAFETY: the pointer and the length are those of a constant.
    unsafe {
        libc::write(libc::STDERR_FILENO, WHY.as_ptr().cast(), WHY.len());
    }
}
