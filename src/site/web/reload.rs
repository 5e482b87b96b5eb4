//! A reload that fails nobody: nginx's former workers close every idle connection when they are
//! told to end, also one on which a request has just arrived. So the clients of HTTP/1.x are first
//! made to come anew; requests that run, and HTTP/2, are nginx's own to end well.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{LOOK_EVERY, SERVICE, WebConfig, WebError, running};
use crate::host::paths::Paths;
use crate::host::process::children;
use crate::host::services::Services;
use crate::host::{files, network};

/// Whoever asks at least once in this time has heard, and comes on a new connection.
const MOVED_WITHIN: Duration = Duration::from_secs(3);
/// Until the former workers take no connections any more.
const REPLACED_WITHIN: Duration = Duration::from_secs(15);

/// While this lives, every answer of HTTP/1.x ends its connection. `/ping` is as ever.
struct Moving<'p>(&'p Paths);

impl<'p> Moving<'p> {
    fn begin(paths: &'p Paths) -> Result<Self, WebError> {
        files::write_anew(&paths.moving(), b"", 0o644)?;
        Ok(Self(paths))
    }
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        // One that stays costs connections, and goes at the next start.
        let _ = std::fs::remove_file(self.0.moving());
    }
}

/// Returns once the former workers take no connections any more; one that hangs is left to nginx.
pub(super) async fn reload(
    config: &WebConfig,
    services: &Services,
    master: Option<u32>,
) -> Result<(), WebError> {
    let _moving = Moving::begin(&config.paths)?;
    let _ = timeout(
        MOVED_WITHIN,
        nobody_is_connected(&[config.http_port, config.https_port]),
    )
    .await;
    let master = running(&config.paths.nginx_pid()).or(master);
    let former = master.map(children).unwrap_or_default();
    services.reload(SERVICE).await?;
    let _ = timeout(REPLACED_WITHIN, async {
        while former.iter().any(|worker| takes_connections(*worker)) {
            sleep(LOOK_EVERY).await;
        }
    })
    .await;
    Ok(())
}

async fn nobody_is_connected(ports: &[u16]) {
    while network::connections(ports) > 0 {
        sleep(LOOK_EVERY).await;
    }
}

/// One that ends says so in its title before it closes its listeners; one that is gone has none.
fn takes_connections(worker: u32) -> bool {
    let title = std::fs::read(format!("/proc/{worker}/cmdline")).unwrap_or_default();
    let title = String::from_utf8_lossy(&title);
    title.contains("nginx: worker") && !title.contains("shutting down")
}
