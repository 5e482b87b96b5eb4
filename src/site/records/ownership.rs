//! The TXT record that says whose names these are, and so who may write them.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The owner of names that no instance has had yet.
const NOBODY: &str = "nobody";

/// `heritage=spotboot,site=…,owner=<instance>,launched=<RFC 3339>,generation=<n>`, and
/// `,names=mirror` while a person has led the names to the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    pub site: String,
    /// An instance's id.
    pub owner: String,
    pub launched: OffsetDateTime,
    pub generation: u64,
    pub names: NamesLead,
}

/// Where a person wants the names to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NamesLead {
    /// To the owner, as the record says without a word about it.
    #[default]
    Instance,
    /// To the mirror, whoever owns the names, until a person leads them back.
    Mirror,
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
        let names = match fields.next() {
            None => NamesLead::Instance,
            Some("names=instance") => NamesLead::Instance,
            Some("names=mirror") => NamesLead::Mirror,
            Some(_) => return None,
        };
        fields.next().is_none().then_some(Self {
            site,
            owner,
            launched,
            generation,
            names,
        })
    }

    /// What is written where names are led to the mirror that no instance has had yet: whoever
    /// boots first owns them.
    pub(super) fn of_nobody(site: &str) -> Self {
        Self {
            site: site.to_owned(),
            owner: NOBODY.to_owned(),
            launched: OffsetDateTime::UNIX_EPOCH,
            generation: 0,
            names: NamesLead::Instance,
        }
    }

    /// The instance that owns the names; `None` where none has had them yet.
    pub fn instance(&self) -> Option<&str> {
        (self.owner != NOBODY).then_some(self.owner.as_str())
    }

    /// Whether a person has led the names to the mirror.
    pub fn is_at_mirror(&self) -> bool {
        self.names == NamesLead::Mirror
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
        )?;
        match self.names {
            NamesLead::Instance => Ok(()),
            NamesLead::Mirror => f.write_str(",names=mirror"),
        }
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
            names: NamesLead::Instance,
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
    fn names_at_the_mirror_are_told_and_anything_else_about_them_is_not_understood() {
        let at_mirror = Ownership {
            names: NamesLead::Mirror,
            ..ownership()
        };
        let text = at_mirror.to_string();
        assert_eq!(text, format!("{},names=mirror", ownership()));
        assert_eq!(Ownership::parse(&text), Some(at_mirror));
        let said = |names: &str| Ownership::parse(&format!("{},{names}", ownership()));
        assert_eq!(said("names=instance"), Some(ownership()));
        assert_eq!(said("names=moon"), None);
        assert_eq!(said("names=mirror,more=1"), None);
    }

    #[test]
    fn names_that_no_instance_has_had_are_anybodys_to_take() {
        let nobodys = Ownership::of_nobody("example");
        assert_eq!(
            (nobodys.instance(), ownership().instance()),
            (None, Some("i-1"))
        );
        assert!(nobodys.is_before(ownership().launched, "a"));
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
