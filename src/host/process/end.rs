//! The ends of processes that are not our children.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits until the process has ended; at once where it has.
///
/// # Errors
/// The kernel is older than 5.3, or has no descriptor left.
pub async fn ended(pid: u32) -> io::Result<()> {
    match watch(pid) {
        Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => Ok(()),
        watched => watched?.readable().await.map(drop),
    }
}

/// Becomes readable when the process ends (pidfd_open(2)).
#[expect(
    unsafe_code,
    reason = "pidfd_open(2) has no safe wrapper in nix, nor has tokio's registration of a descriptor"
)]
fn watch(pid: u32) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: it takes two numbers and touches no memory of ours.
    let answer = unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_open, pid, 0) };
    let Ok(descriptor @ 0..) = i32::try_from(answer) else {
        return Err(io::Error::last_os_error());
    };
    // SAFETY: the kernel has just made it, for us alone; an `OwnedFd` stays the same descriptor
    // until it is dropped.
    unsafe {
        Ok(AsyncFd::register_with_interest(
            OwnedFd::from_raw_fd(descriptor),
            Interest::READABLE,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn an_end_is_told_when_it_comes_and_a_past_one_at_once() {
        let started = super::super::shell("exec sleep 60").start().unwrap();
        let pid = started.leader.pid;
        assert!(
            timeout(Duration::from_millis(50), ended(pid))
                .await
                .is_err(),
            "it runs"
        );
        started.signal(nix::sys::signal::Signal::SIGKILL);
        timeout(Duration::from_secs(30), ended(pid))
            .await
            .expect("it ends")
            .unwrap();
        drop(started);
        // Above the kernel's largest pid there is nobody.
        ended(u32::try_from(i32::MAX).unwrap()).await.unwrap();
    }
}
