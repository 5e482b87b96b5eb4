//! This instance's logs on their way to the bucket.

pub mod schedule;
pub mod ship;
