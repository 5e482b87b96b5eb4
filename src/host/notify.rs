//! What we tell systemd about ourselves (sd_notify(3)). Without systemd every call does nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// READY=1: the site serves. Units and `install` wait for it.
pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// The line that `systemctl status` shows.
pub fn status(line: &str) {
    // A newline would start another assignment.
    send(&[NotifyState::Status(&line.replace(['\n', '\r'], " "))]);
}

/// STOPPING=1.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// How often [`watchdog`] must be called from now on; `None`: never.
pub fn watchdog_interval() -> Option<Duration> {
    // Half of the limit, as sd_watchdog_enabled(3) recommends.
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

/// WATCHDOG=1: the event loop still turns.
pub fn watchdog() {
    send(&[NotifyState::Watchdog]);
}

fn send(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "telling systemd our state");
    }
}
