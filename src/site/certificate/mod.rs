//! The site's certificate: cached in the bucket, ordered from a CA only when nothing there will do,
//! renewed when that CA would like it.

mod account;
mod cache;
mod ledger;
mod next;
mod order;
mod schedule;
mod sealed;
mod signing_request;
#[cfg(test)]
mod simulation;

pub use cache::{Cache, Found, StoredCertificate};
pub use ledger::{Barred, Ledger};
pub use next::{AGAIN, RenewalAction, View, next, pause};
pub use order::Desk;
pub use schedule::{Window, due};
pub use sealed::{Certificate, PrivateKey};
pub use signing_request::identifiers;
