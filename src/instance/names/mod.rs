//! The site's DNS names, as this instance takes them over, keeps them or leaves them to another.
//!
//! A [`NameKeeper`] owns for whom this instance stands by. It may touch:
//!
//! - in the site's zones: the names' records and their ownership record, in one batch that Route 53
//!   refuses to a stale writer (invariant I2 of docs/ARCHITECTURE.md), and never before this
//!   instance has proven itself (invariant I1); the health checks of those records;
//! - the site's Elastic IP, which the owner of the names leads to itself; EC2, which it asks for the
//!   instances that live; the metadata service, which it asks for the address;
//! - in the bucket: the reports of those who have the names, the deploy log and the deploy's lock,
//!   which it reads;
//! - its part of the report, the address. Of the interruption it asks for the mark alone.

pub mod cutover;
pub mod elastic_ip;
pub mod health_checks;
pub mod owner;
pub mod standby;

use std::cell::RefCell;

use super::Instance;
use super::interruption::Interruption;
use super::report::Reporter;

/// Whose the names are, as far as this instance acts on it.
pub struct NameKeeper<'i> {
    instance: &'i Instance,
    reporter: &'i Reporter<'i>,
    interruption: &'i Interruption<'i>,
    /// The owners of the names that this instance stands by for, though it was launched later.
    spare_of: RefCell<Vec<String>>,
    /// The owner of the names that was launched later than this instance.
    later_owner: RefCell<Option<String>>,
}

impl<'i> NameKeeper<'i> {
    /// Makes the keeper for an instance that has not looked at the names yet.
    pub fn new(
        instance: &'i Instance,
        reporter: &'i Reporter<'i>,
        interruption: &'i Interruption<'i>,
    ) -> Self {
        Self {
            instance,
            reporter,
            interruption,
            spare_of: RefCell::default(),
            later_owner: RefCell::default(),
        }
    }

    /// Whether this instance, though it was launched later, leaves the names with an owner that may
    /// be taken away.
    pub fn is_spare(&self) -> bool {
        !self.spare_of.borrow().is_empty()
    }

    fn stands_by_for_later(&self, owner: Option<&str>) {
        self.later_owner.replace(owner.map(str::to_owned));
    }
}
