//! Our own keeper.

use std::sync::Arc;

use super::{Ensured, Paths, Service, ServiceError, State};

/// Takes one line of a service's output, already prefixed.
pub type Print = Arc<dyn Fn(&str) + Send + Sync>;

/// Lines go to standard error.
pub fn to_stderr() -> Print {
    Arc::new(|line| eprintln!("{line}"))
}

pub struct Foreground {}

impl Foreground {
    pub async fn start(_paths: &Paths, _print: Print) -> Result<Self, ServiceError> {
        unimplemented!()
    }
    pub async fn ensure(&self, _service: &Service) -> Result<Ensured, ServiceError> {
        unimplemented!()
    }
    pub async fn stop(&self, _name: &str) -> Result<(), ServiceError> {
        unimplemented!()
    }
    pub async fn reload(&self, _name: &str) -> Result<(), ServiceError> {
        unimplemented!()
    }
    pub async fn state(&self, _name: &str) -> State {
        unimplemented!()
    }
    pub async fn log_tail(&self, _name: &str, _lines: usize) -> String {
        unimplemented!()
    }
    pub async fn ended(&self, _name: &str) -> String {
        unimplemented!()
    }
    pub async fn shutdown(&self) {
        unimplemented!()
    }
}
