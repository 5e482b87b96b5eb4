//! The site's certificate: cached in the bucket, ordered from the CA only when nothing there will do.

mod cache;
mod order;
mod refusal;
mod sealed;

pub use cache::{Best, Cache, Found};
pub use order::Desk;
pub use sealed::{Certificate, PrivateKey};
