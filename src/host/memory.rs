//! Memory: what a boot needs and the resident does not, and whether there was too little of it.

use std::fs;

/// Hands back to the system what was freed, which glibc keeps in its heap for as long as the site
/// lives, and the pages of our code: the resident's few come back from the page cache as they are
/// run.
pub fn release() {
    trim_heap();
    for mapping in code() {
        forget(&mapping);
    }
}

#[cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "malloc_trim(3) has no safe wrapper")
)]
fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks, and touches only memory that is free.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

/// A range of addresses.
#[derive(Debug, PartialEq, Eq)]
struct Mapping {
    start: usize,
    length: usize,
}

/// Where code and constants stand that were mapped from a file and never written to.
fn code() -> Vec<Mapping> {
    fs::read_to_string("/proc/self/maps")
        .unwrap_or_default()
        .lines()
        .filter_map(code_in)
        .collect()
}

/// proc_pid_maps(5).
fn code_in(line: &str) -> Option<Mapping> {
    let mut fields = line.split_ascii_whitespace();
    let (range, permissions, offset, path) = (
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.nth(2)?,
    );
    let (start, end) = range.split_once('-')?;
    let (start, end) = (
        usize::from_str_radix(start, 16).ok()?,
        usize::from_str_radix(end, 16).ok()?,
    );
    // A program's first segment holds its constants; later ones that can only be read were written
    // to when they were relocated.
    let is_constant =
        permissions == "r-xp" || permissions == "r--p" && offset.bytes().all(|digit| digit == b'0');
    (is_constant && path.starts_with('/')).then(|| Mapping {
        start,
        length: end.saturating_sub(start),
    })
}

#[expect(unsafe_code, reason = "madvise(2) takes an address")]
fn forget(mapping: &Mapping) {
    // SAFETY: the pages are private, mapped from a file and not writable, so that reading them
    // again gives what stood there. A mapping that is gone by now is an error of the call, not of
    // ours.
    unsafe {
        nix::libc::madvise(
            mapping.start as *mut _,
            mapping.length,
            nix::libc::MADV_DONTNEED,
        );
    }
}

/// How many processes the kernel has ended for want of memory since the machine's boot
/// (proc_vmstat(5)); `None` where it does not say.
pub fn kills() -> Option<u64> {
    count(&fs::read_to_string("/proc/vmstat").ok()?)
}

fn count(vmstat: &str) -> Option<u64> {
    vmstat
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|number| number.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_counts_what_it_ends() {
        assert_eq!(
            count("pgfault 12\noom_kill 3\noom_kill_disable 0\n"),
            Some(3)
        );
        assert_eq!(count("pgfault 12\n"), None);
        assert!(kills().is_some(), "this kernel counts them");
    }

    #[test]
    fn only_what_is_as_in_its_file_is_forgotten() {
        let code = "55d0c0a2b000-55d0c0a2d000 r-xp 00002000 08:01 131 /usr/bin/spotboot";
        assert_eq!(
            code_in(code),
            Some(Mapping {
                start: 0x55d0_c0a2_b000,
                length: 0x2000
            })
        );
        assert!(
            code_in("55d0c0a2b000-55d0c0a2d000 r--p 00000000 08:01 131 /usr/bin/spotboot")
                .is_some()
        );
        for other in [
            "55d0c0a2b000-55d0c0a2d000 rw-p 00002000 08:01 131 /usr/bin/spotboot",
            "55d0c0a2b000-55d0c0a2d000 r--p 00002000 08:01 131 /usr/bin/spotboot",
            "7ffd1a5f6000-7ffd1a5f8000 r-xp 00000000 00:00 0 [vdso]",
            "7ffd1a5f6000-7ffd1a5f8000 r-xp 00000000 00:00 0",
        ] {
            assert_eq!(code_in(other), None, "{other}");
        }
    }

    #[test]
    fn what_was_handed_back_is_there_when_it_is_used_again() {
        let resident = || -> u64 {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            status
                .lines()
                .find_map(|line| {
                    line.strip_prefix("RssFile:")?
                        .split_whitespace()
                        .next()?
                        .parse()
                        .ok()
                })
                .unwrap()
        };
        let before = resident();
        release();
        assert!(
            resident() < before,
            "{} of {before} KiB are left",
            resident()
        );
    }
}
