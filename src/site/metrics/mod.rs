//! What a monitoring system asks of this instance, as Prometheus' text.

mod requests;
mod tally;
mod text;

pub use requests::Requests;
pub use tally::Tally;
pub use text::{Gauges, text};
