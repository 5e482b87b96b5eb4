//! Memory that a boot needs and the resident does not.

/// Hands what was freed back to the system: glibc keeps it in its heap, for as long as the site lives.
#[cfg_attr(target_env = "gnu", expect(unsafe_code, reason = "malloc_trim(3) has no safe wrapper"))]
pub fn release() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks, and touches only memory that is free.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}
