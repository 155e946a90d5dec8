//! Memory that nobody needs any more goes back to the system.

/// Gives the system what the allocator keeps of freed memory. Glibc does that by itself only for what lies at the very
/// end of its heaps, and after many pods have ended that is next to nothing. Takes some milliseconds, in which others
/// may have to wait for memory. Whether anything was given back.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the call has no safe wrapper, and no precondition")]
pub fn trim_heap() -> bool {
    // SAFETY: `malloc_trim` takes no pointer, touches free memory only, and takes the allocator's own locks.
    unsafe { libc::malloc_trim(0) != 0 }
}

/// Other allocators have no such call; musl's gives memory back by itself.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn trim_heap() -> bool {
    false
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    #[test]
    fn what_was_freed_goes_back() {
        let mut pieces: Vec<Box<[u8; 4096]>> = (0..4096).map(|number| Box::new([number as u8; 4096])).collect();
        // What stays is at the end, so that nothing before it goes back by itself.
        pieces.drain(..4000);
        assert!(super::trim_heap());
        assert!(pieces.iter().zip(4000..).all(|(piece, number)| piece[4095] == number as u8));
    }
}
