//! Whether the instances came up from the newest version of their launch template. Where they did
//! not, the next instance may be as old: nobody has to act at once.

use crate::cloud::ec2::{Described, Ec2};
use crate::config::FleetKind;
use crate::site::check::{Check, Finding};
use crate::site::fleet::OlderTemplate;

const ID: &str = "launch-template";

/// A warning for each instance of an older version, or one that it is not known.
pub(super) async fn check(ec2: &Ec2, living: &[Described], kind: FleetKind) -> Vec<Check> {
    let older = match OlderTemplate::among(ec2, living).await {
        Ok(older) => older,
        Err(error) => {
            let seen = Finding::Warning(error.to_string());
            return vec![Check::new(ID, "launch template", seen)];
        }
    };
    let check = |older: &OlderTemplate| {
        let seen = Finding::Warning(older.to_string());
        Check::new(ID, &older.template, seen).with_remedy(older.remedy(kind))
    };
    older.iter().map(check).collect()
}
