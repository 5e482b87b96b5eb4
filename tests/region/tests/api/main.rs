//! The region as its clients meet it: over the wire, with the real SDK and a real ACME client.

mod acme;
mod autoscaling;
mod binary;
mod client;
mod cloudfront;
mod dns;
mod ec2;
mod faults;
mod fleet_faults;
mod fleets;
mod imds;
mod route53;
mod s3;
mod s3_conflicts;
mod s3_versions;
mod spot_fleets;
mod templates;
mod website;
