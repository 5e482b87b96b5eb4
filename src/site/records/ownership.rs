//! The TXT record that says whose names these are, and so who may write them.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `heritage=spotboot,site=…,owner=<instance>,launched=<RFC 3339>,generation=<n>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    pub site: String,
    pub owner: String,
    pub launched: OffsetDateTime,
    pub generation: u64,
}

impl Ownership {
    /// Reads a TXT value; anything that spotboot did not write is `None`.
    pub fn parse(value: &str) -> Option<Self> {
        let mut fields = value.split(',');
        let mut field = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix('=');
        (field("heritage")? == "spotboot").then_some(())?;
        let site = field("site")?.to_owned();
        let owner = field("owner")?.to_owned();
        let launched = OffsetDateTime::parse(field("launched")?, &Rfc3339).ok()?;
        let generation = field("generation")?.parse().ok()?;
        fields.next().is_none().then_some(Self {
            site,
            owner,
            launched,
            generation,
        })
    }

    /// Whether an instance with this launch time came after the owner. Two of the same second are
    /// told apart by their ids.
    pub fn is_before(&self, launched: OffsetDateTime, instance: &str) -> bool {
        (self.launched, self.owner.as_str()) < (launched, instance)
    }

    /// Whether a rotation or another instance keeps the names for their owner, which was `launched`
    /// then: whoever is launched next would stand by.
    pub fn is_kept_for(&self, instance: &str, launched: OffsetDateTime) -> bool {
        self.owner == instance && self.launched >= later_than(launched)
    }
}

/// The earliest launch time that comes after `launched`: EC2 tells launches in whole seconds.
pub fn later_than(launched: OffsetDateTime) -> OffsetDateTime {
    launched + Duration::from_secs(1)
}

impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let launched = self.launched.format(&Rfc3339).map_err(|_| fmt::Error)?;
        write!(
            f,
            "heritage=spotboot,site={},owner={},launched={launched},generation={}",
            self.site, self.owner, self.generation
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn ownership() -> Ownership {
        Ownership {
            site: "example".into(),
            owner: "i-1".into(),
            launched: datetime!(2026-11-20 12:00 UTC),
            generation: 7,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(
            ownership().to_string(),
            "heritage=spotboot,site=example,owner=i-1,launched=2026-11-20T12:00:00Z,generation=7"
        );
        assert_eq!(
            Ownership::parse(&ownership().to_string()),
            Some(ownership())
        );
    }

    #[test]
    fn what_spotboot_did_not_write_is_not_taken_for_its_own() {
        for foreign in [
            "",
            "v=spf1 -all",
            "heritage=external-dns,site=a,owner=b,launched=2026-11-20T12:00:00Z,generation=1",
            "heritage=spotboot,site=a",
        ] {
            assert_eq!(Ownership::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn of_two_launched_in_the_same_second_one_is_the_later() {
        let mine = ownership();
        assert!(mine.is_before(mine.launched, "i-2"));
        assert!(!mine.is_before(mine.launched, "i-0"));
        assert!(!mine.is_before(mine.launched, "i-1"));
    }

    #[test]
    fn names_are_kept_for_an_owner_whose_record_tells_a_later_launch_than_its_own() {
        let launched = ownership().launched;
        let earlier = launched - Duration::from_secs(1);
        assert!(ownership().is_kept_for("i-1", earlier));
        assert!(!ownership().is_kept_for("i-1", launched));
        assert!(
            !ownership().is_kept_for("i-2", earlier),
            "another owns them"
        );
    }
}
