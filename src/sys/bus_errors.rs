//! Says why a process ends that reads a mapped file which somebody has cut short, or whose disk fails.

/// Has that said on standard error before the process ends by the signal as it would have. For commands: a library
/// leaves signals to its program.
#[cfg(unix)]
pub fn explain_bus_errors() {
    #[expect(unsafe_code, reason = "nothing else hears of a failed read of a map")]
    // SAFETY: the action is wholly initialized, and its handler calls only `write`, which signal handlers may. After
    // it the signal has its usual effect again, so that the read which failed, and is repeated, ends the process.
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
        start burgeon again: the file is checked and made anew\n";
    #[expect(unsafe_code, reason = "the only way to write that signal handlers may use")]
    // SAFETY: the pointer and the length are those of a constant.
    unsafe {
        libc::write(libc::STDERR_FILENO, WHY.as_ptr().cast(), WHY.len());
    }
}
