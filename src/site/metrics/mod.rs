//! What a monitoring system asks of this instance, as Prometheus' text.

mod requests;
mod text;

pub use requests::Requests;
pub use text::{Gauges, MirrorGauges, text};
