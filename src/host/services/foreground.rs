//! Ourselves as the keeper: the services are our children, and end with us.
//!
//! What they are is noted in the runtime folder, so that a run after one that was killed ends what
//! outlived it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

use super::seen::{Print, SeenService};
use super::supervisor::{self, ServiceTask};
use super::{Ensured, Paths, Service, ServiceError, ServiceState};
use crate::host::process::{Leader, end_session};

/// How long killed processes may take to be gone.
const GONE: Duration = Duration::from_secs(5);
/// The services, in the order in which they were first started.
pub struct Foreground {
    slots: Mutex<Vec<Arc<ServiceSlot>>>,
    records: PathBuf,
    print: Print,
}

/// One service's place, kept through its replacements.
struct ServiceSlot {
    name: String,
    supervisor: AsyncMutex<Option<ServiceTask>>,
    seen: Arc<SeenService>,
}

impl Foreground {
    /// Ends what an earlier run left behind.
    pub(super) async fn start(paths: &Paths, print: Print) -> Result<Self, ServiceError> {
        let records = paths.service_records();
        end_leftovers(&records).await?;
        Ok(Self {
            slots: Mutex::default(),
            records,
            print,
        })
    }

    pub(super) async fn ensure(&self, service: &Service) -> Result<Ensured, ServiceError> {
        let slot = self.slot(&service.name);
        let mut supervisor = slot.supervisor.lock().await;
        let running = matches!(slot.seen.state(), ServiceState::Running { .. });
        if let Some(old) = supervisor.take() {
            if running && old.service == *service {
                *supervisor = Some(old);
                return Ok(Ensured::Kept);
            }
            old.stop().await;
        }
        slot.seen.reset();
        *supervisor = Some(supervisor::start(
            service.clone(),
            &self.records,
            Arc::clone(&slot.seen),
            Arc::clone(&self.print),
        )?);
        Ok(if running {
            Ensured::Replaced
        } else {
            Ensured::Started
        })
    }

    pub(super) async fn runs(&self, service: &Service) -> bool {
        let slot = self.slot(&service.name);
        let supervisor = slot.supervisor.lock().await;
        supervisor
            .as_ref()
            .is_some_and(|known| known.service == *service)
            && matches!(slot.seen.state(), ServiceState::Running { .. })
    }

    pub(super) async fn stop(&self, name: &str) -> Result<(), ServiceError> {
        let slot = self.slot(name);
        let mut supervisor = slot.supervisor.lock().await;
        if let Some(old) = supervisor.take() {
            old.stop().await;
        }
        slot.seen.set(ServiceState::Absent);
        Ok(())
    }

    pub(super) async fn reload(&self, name: &str) -> Result<(), ServiceError> {
        let slot = self.slot(name);
        let supervisor = slot.supervisor.lock().await;
        let done = match &*supervisor {
            Some(running) => running.reload().await,
            None => false,
        };
        if done {
            Ok(())
        } else {
            Err(ServiceError::NotRunning {
                doing: "reloading",
                name: name.into(),
            })
        }
    }

    pub(super) fn state(&self, name: &str) -> ServiceState {
        self.slot(name).seen.state()
    }

    pub(super) fn log_tail(&self, name: &str, lines: usize) -> String {
        self.slot(name).seen.log_tail(lines)
    }

    pub(super) async fn ended(&self, name: &str) -> String {
        self.slot(name).seen.next_end().await
    }

    pub(super) async fn shutdown(&self) {
        let names: Vec<String> = self
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|slot| slot.name.clone())
            .collect();
        for name in names.iter().rev() {
            let _ = self.stop(name).await;
        }
    }

    fn slot(&self, name: &str) -> Arc<ServiceSlot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.iter().find(|slot| slot.name == name) {
            return Arc::clone(slot);
        }
        let slot = Arc::new(ServiceSlot {
            name: name.into(),
            supervisor: AsyncMutex::default(),
            seen: Arc::new(SeenService::new()),
        });
        slots.push(Arc::clone(&slot));
        slot
    }
}

async fn end_leftovers(records: &Path) -> Result<(), ServiceError> {
    let Ok(entries) = fs::read_dir(records) else {
        return Ok(());
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = || {
            path.file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        if let Some(leader) = fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Leader>(&bytes).ok())
            && !end_session(&leader, GONE).await
        {
            return Err(ServiceError::Leftover { name: name() });
        }
        let _ = fs::remove_file(&path);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
