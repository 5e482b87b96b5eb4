//! What stays as it was when a release fails, and the visitors who would have noticed.

use std::time::Duration;

use region::load::{Load, LoadSpec};

use crate::common::{DOMAIN, ZONE};
use crate::site::Site;

/// What served before.
pub struct Unmoved<'s> {
    site: &'s Site,
    current: Option<Vec<u8>>,
    living: Vec<String>,
    records: Vec<String>,
    seen: String,
}

impl<'s> Unmoved<'s> {
    /// As it is now.
    pub fn from(site: &'s Site) -> Self {
        let current = site.world.get("releases/current.json");
        assert!(current.is_some(), "a release is current");
        Self {
            site,
            current,
            living: site.living(),
            records: site.world.record(DOMAIN, "A"),
            seen: site.seen(),
        }
    }

    /// The instances, the names and the release are those from before, and nothing of the run is
    /// left but its log.
    pub fn assert(&self) {
        let Self {
            site,
            current,
            living,
            records,
            seen,
        } = self;
        assert!(
            site.world.get("releases/current.json") == *current,
            "the current release has moved"
        );
        assert!(
            site.world.get("releases/candidate.json").is_none(),
            "the candidate stays"
        );
        assert!(
            site.world.get("locks/deploy.json").is_none(),
            "the lease stays"
        );
        assert_eq!(
            site.fleet.target(),
            u32::try_from(living.len()).expect("a few"),
            "the target is not given back"
        );
        assert_eq!(site.living(), *living, "{}", site.logs());
        assert_eq!(
            site.world.record(DOMAIN, "A"),
            *records,
            "the names lead elsewhere"
        );
        let owner = site
            .world
            .region
            .route53()
            .find(ZONE, &format!("_spotboot.{DOMAIN}"), "TXT")
            .remove(0)
            .values
            .remove(0);
        assert!(
            living.iter().any(|id| owner.contains(id.as_str())),
            "{owner}: the names are another's"
        );
        assert_eq!(site.seen(), *seen);
        site.assert_never_out_of_bounds(living.len());
        assert_eq!(site.history()[0]["end"]["outcome"], "rolled_back");
    }
}

/// Fifty requests a second, of every kind; none lasts so long that a test has to wait for it.
pub fn crowd(site: &Site) -> Load {
    let spec = LoadSpec::new(&site.world.region, DOMAIN, 443).expect("pebble names its roots");
    let lasts = Duration::from_secs(3);
    Load::start(LoadSpec {
        rate: 50,
        slow_takes: lasts,
        upload_takes: lasts,
        ..spec
    })
    .expect("the visitors come")
}
