//! The record of `[failover] name`: an alias that leads to the mirror, whatever becomes of the site's
//! own names. It is nobody's property but the configuration's, so it has no ownership record.

use crate::cloud::route53::{Change, RecordSet, RecordType};
use crate::config::{Failover, WEBSITE_ENDPOINTS};

/// Where the name leads, as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct MirrorRecord {
    name: String,
    wanted: Vec<RecordSet>,
}

/// What is to be done about the name's records.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordVerdict {
    /// They are as they should be.
    Stand,
    /// One batch, which holds only for the records that were read.
    Write(Vec<Change>),
    /// The name leads elsewhere, by a record that is not spotboot's to change.
    Foreign(Box<RecordSet>),
}

impl MirrorRecord {
    /// The record of a site whose mirror's bucket is in this region; none where the mirror has no
    /// name of its own.
    ///
    /// # Errors
    /// The region has no website endpoint that spotboot knows; a sentence.
    pub fn of(failover: &Failover, region: &str) -> Result<Option<Self>, String> {
        let Some(name) = &failover.name else {
            return Ok(None);
        };
        let name = name.as_str();
        let alias = failover.alias(region)?;
        let mut kinds = vec![RecordType::A];
        kinds.extend(alias.has_ipv6().then_some(RecordType::Aaaa));
        let wanted = kinds
            .into_iter()
            .map(|kind| RecordSet::alias(name, kind, alias.target(), alias.zone(), false))
            .collect();
        Ok(Some(Self {
            name: name.to_owned(),
            wanted,
        }))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The records as they should be, in words.
    pub fn told(&self) -> String {
        let sets: Vec<String> = self.wanted.iter().map(RecordSet::to_string).collect();
        sets.join(", ")
    }

    /// Decides from the record sets that have the name. An alias to a website endpoint is spotboot's
    /// to change: such an endpoint finds the bucket by the name that was asked for, so the alias
    /// never leads to another's bucket.
    pub fn decide(&self, found: &[RecordSet]) -> RecordVerdict {
        let of_address = || found.iter().filter(|set| set.is_address_or_cname());
        let stands = |set: &RecordSet| self.wanted.contains(set);
        let ours = |set: &RecordSet| {
            let target = set.alias_target();
            target.is_some_and(|target| target.starts_with(WEBSITE_ENDPOINTS))
                && set.set_identifier().is_none()
        };
        if let Some(foreign) = of_address().find(|set| !stands(set) && !ours(set)) {
            return RecordVerdict::Foreign(Box::new(foreign.clone()));
        }
        let old = of_address().filter(|set| !stands(set)).cloned();
        let missing = self
            .wanted
            .iter()
            .filter(|set| !found.contains(set))
            .cloned();
        let changes: Vec<Change> = old
            .map(Change::Delete)
            .chain(missing.map(Change::Create))
            .collect();
        if changes.is_empty() {
            RecordVerdict::Stand
        } else {
            RecordVerdict::Write(changes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Site, website_endpoint, website_zone};

    fn record(lines: &str, region: &str) -> Result<Option<MirrorRecord>, String> {
        let text = format!(
            "[site]\nname = \"example\"\ndomains = [\"example.com\"]\nbucket = \"example-site\"\n[app]\nkind = \"static\"\n[failover]\nbucket = \"static.example.com\"\n{lines}"
        );
        let site = Site::parse("site.toml", &text).expect("it is sound");
        MirrorRecord::of(&site.failover.expect("it is there"), region)
    }

    fn named(region: &str) -> MirrorRecord {
        let named = record("name = \"static.example.com\"\n", region);
        named.expect("the region is known").expect("it has a name")
    }

    fn website(region: &str) -> RecordSet {
        let (target, zone) = (website_endpoint(region), website_zone(region).unwrap());
        RecordSet::alias("static.example.com", RecordType::A, &target, zone, false)
    }

    #[test]
    fn without_a_name_there_is_no_record() {
        assert_eq!(record("", "eu-west-1"), Ok(None));
    }

    #[test]
    fn a_name_leads_to_the_website_endpoint_by_ipv4_alone() {
        let verdict = named("eu-west-1").decide(&[]);
        assert_eq!(
            verdict,
            RecordVerdict::Write(vec![Change::Create(website("eu-west-1"))])
        );
        assert_eq!(
            named("eu-west-1").decide(&[website("eu-west-1")]),
            RecordVerdict::Stand
        );
    }

    #[test]
    fn by_cloudfront_both_kinds_of_address_lead_there() {
        let lines = "name = \"static.example.com\"\ncloudfront = \"d1.cloudfront.net\"\n";
        let record = record(lines, "nowhere-1").unwrap().unwrap();
        let RecordVerdict::Write(changes) = record.decide(&[website("eu-west-1")]) else {
            panic!("nothing is written");
        };
        let shown: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "delete A static.example.com → alias s3-website-eu-west-1.amazonaws.com",
                "create A static.example.com → alias d1.cloudfront.net",
                "create AAAA static.example.com → alias d1.cloudfront.net"
            ]
        );
    }

    #[test]
    fn a_bucket_that_moved_to_another_region_takes_its_name_along() {
        let verdict = named("eu-central-1").decide(&[website("eu-west-1")]);
        assert_eq!(
            verdict,
            RecordVerdict::Write(vec![
                Change::Delete(website("eu-west-1")),
                Change::Create(website("eu-central-1"))
            ])
        );
    }

    #[test]
    fn a_record_of_somebody_else_is_told_and_never_written_over() {
        let theirs = RecordSet::new(
            "static.example.com",
            RecordType::A,
            60,
            vec!["203.0.113.7".into()],
        );
        let verdict = named("eu-west-1").decide(&[theirs.clone(), website("eu-west-1")]);
        assert_eq!(verdict, RecordVerdict::Foreign(Box::new(theirs)));
    }

    #[test]
    fn a_text_beside_it_is_no_ones_business() {
        let text = RecordSet::new("static.example.com", RecordType::Txt, 60, vec!["x".into()]);
        let verdict = named("eu-west-1").decide(&[text, website("eu-west-1")]);
        assert_eq!(verdict, RecordVerdict::Stand);
    }

    #[test]
    fn an_unknown_region_says_what_to_do() {
        let unknown = record("name = \"static.example.com\"\n", "eu-wset-1");
        assert!(unknown.unwrap_err().contains("correct [failover] region"));
    }
}
