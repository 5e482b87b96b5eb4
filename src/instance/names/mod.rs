//! The site's DNS names, as this instance takes them over, keeps them or leaves them to another.

pub mod cutover;
pub mod elastic_ip;
pub mod owner;
pub mod standby;
