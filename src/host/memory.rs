//! Memory: what a boot needs and the resident does not, and whether there was too little of it.

use std::ops::Range;

/// Hands back what only the boot needed. glibc keeps what was freed in its heap, and the kernel the code that ran, for as long as the site
/// lives.
pub fn release() {
    trim();
    if let Ok(maps) = std::fs::read_to_string("/proc/self/maps")
        && let Ok(program) = std::env::current_exe()
        && let Some(code) = code(&maps, &program.to_string_lossy())
    {
        forget(&code);
    }
}

#[cfg_attr(target_env = "gnu", expect(unsafe_code, reason = "malloc_trim(3) has no safe wrapper"))]
fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks, and touches only memory that is free.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

/// Where a program's code is mapped (proc_pid_maps(5)): executable and not writable, so that it is as it stands in the file.
fn code(maps: &str, program: &str) -> Option<Range<usize>> {
    let line = maps.lines().find(|line| line.contains(" r-xp ") && line.ends_with(program))?;
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

#[expect(unsafe_code, reason = "madvise(2) has no safe wrapper")]
fn forget(code: &Range<usize>) {
    // SAFETY: the range is a private mapping of our own program's code, which is never written to: each page comes back from the file, as it was,
    // when it is next used (madvise(2), "MADV_DONTNEED"). This very function's is, at once.
    unsafe {
        nix::libc::madvise(std::ptr::with_exposed_provenance_mut(code.start), code.len(), nix::libc::MADV_DONTNEED);
    }
}

/// How many processes the kernel has ended for want of memory since the machine's boot (proc_vmstat(5)); `None` where it does not say.
pub fn kills() -> Option<u64> {
    count(&std::fs::read_to_string("/proc/vmstat").ok()?)
}

fn count(vmstat: &str) -> Option<u64> {
    vmstat.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|number| number.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_counts_what_it_ends() {
        assert_eq!(count("pgfault 12\noom_kill 3\noom_kill_disable 0\n"), Some(3));
        assert_eq!(count("pgfault 12\n"), None);
        assert!(kills().is_some(), "this kernel counts them");
    }

    #[test]
    fn only_the_programs_code_is_taken_for_code() {
        let maps = "5600-5700 r--p 00000000 fe:00 1    /bin/spotboot\n5700-5900 r-xp 00001000 fe:00 1    /bin/spotboot\n\
                    5900-5a00 rw-p 00003000 fe:00 1    /bin/spotboot\n7f00-7f80 r-xp 00000000 fe:00 2    /lib/libc.so.6\n";
        assert_eq!(code(maps, "/bin/spotboot"), Some(0x5700..0x5900));
        assert_eq!(code(maps, "/bin/other"), None);
    }

    #[test]
    fn what_was_handed_back_is_there_when_it_is_used_again() {
        let resident = || -> u64 {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            status.lines().find_map(|line| line.strip_prefix("RssFile:")?.split_whitespace().next()?.parse().ok()).unwrap()
        };
        let before = resident();
        release();
        let after = resident();
        assert!(after < before, "{after} of {before} kB of files stay in memory");
        assert_eq!(count("oom_kill 3\n"), Some(3));
    }
}
