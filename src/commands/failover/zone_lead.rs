//! A zone as `failover status` tells of it: whose its names are, and where they were seen to lead.

use std::fmt;

use serde::Serialize;

use crate::site::records::{Ownership, ZoneOwnership};

/// Where a zone's names lead, by its ownership record and the records themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenLead {
    /// The names lead to an instance, or to nobody yet.
    Instance,
    /// The names lead to the mirror, by a person's will.
    Mirror,
    /// The names lead to the mirror without a person's will: their last instance led them there at
    /// its end.
    MirrorByLastAct,
    /// The names lead to an address that is nobody's: their last instance led them there at its end.
    NobodyByLastAct,
}

/// A zone's names as they stand.
#[derive(Debug, Serialize)]
pub struct ZoneLead {
    pub zone: String,
    pub lead: SeenLead,
    /// Whether the zone holds more than `[failover] dynamic`, which is never led to the mirror.
    #[serde(skip)]
    pub has_domains: bool,
    pub owner: Option<String>,
    pub records: Vec<String>,
}

impl SeenLead {
    pub fn of(zone: &ZoneOwnership) -> Self {
        let was_had = zone.owner.as_ref().and_then(Ownership::instance).is_some();
        if zone.is_at_mirror() {
            Self::Mirror
        } else if was_had && zone.leads_away() {
            Self::MirrorByLastAct
        } else if was_had && zone.leads_to_nobody() {
            Self::NobodyByLastAct
        } else {
            Self::Instance
        }
    }
}

impl ZoneLead {
    pub fn of(zone: &ZoneOwnership) -> Self {
        let owner = zone.owner.as_ref().and_then(Ownership::instance);
        Self {
            zone: zone.zone.clone(),
            lead: SeenLead::of(zone),
            has_domains: zone.has_domains,
            owner: owner.map(str::to_owned),
            records: zone.records.iter().map(ToString::to_string).collect(),
        }
    }
}

impl fmt::Display for SeenLead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instance => "at the instances",
            Self::Mirror => "at the mirror",
            Self::MirrorByLastAct => "at the mirror, by the last instance's last act",
            Self::NobodyByLastAct => "at nobody's address, by the last instance's last act",
        })
    }
}

/// `example.com: at the mirror, owned by i-1`
impl fmt::Display for ZoneLead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = self.owner.as_deref().unwrap_or("nobody yet");
        write!(f, "{}: {}, owned by {owner}", self.zone, self.lead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::route53::{RecordSet, RecordType};
    use crate::site::records::{NamesLead, zone_owned_by};

    fn zone(owner: &str, names: NamesLead, record: RecordSet) -> ZoneOwnership {
        zone_owned_by(owner, names, vec![record])
    }

    fn a(address: &str) -> RecordSet {
        RecordSet::new("example.com", RecordType::A, 60, vec![address.into()])
    }

    fn alias() -> RecordSet {
        let (kind, target) = (RecordType::A, "d1.cloudfront.net");
        RecordSet::alias("example.com", kind, target, "Z2", false)
    }

    #[test]
    fn what_the_last_act_led_away_is_told_apart_from_what_a_person_did() {
        let instance = NamesLead::Instance;
        let told = |zone: ZoneOwnership| ZoneLead::of(&zone).to_string();
        assert_eq!(
            told(zone("i-1", instance, alias())),
            "example.com: at the mirror, by the last instance's last act, owned by i-1"
        );
        assert!(
            told(zone("i-1", instance, a("192.0.2.1"))).contains("at nobody's address"),
            "an address that is nobody's"
        );
        assert_eq!(
            told(zone("i-1", NamesLead::Mirror, alias())),
            "example.com: at the mirror, owned by i-1"
        );
        assert_eq!(
            SeenLead::of(&zone("i-1", instance, a("203.0.113.7"))),
            SeenLead::Instance
        );
        // An alias that was there before any instance is nobody's last act.
        assert_eq!(
            SeenLead::of(&zone("nobody", instance, alias())),
            SeenLead::Instance
        );
    }
}
