//! Reading the records of a few names out of a zone of any size.

use aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsOutput;

use super::{RecordSet, Route53, names, zone_arn};
use crate::cloud::Error;
use crate::cloud::error::Doing;

/// The largest page.
const PAGE: i32 = 300;
/// Pages beyond one for each name: many record sets may have one name.
const SPARE_PAGES: usize = 20;

impl Route53 {
    /// All record sets that have one of these names, in Route 53's order.
    ///
    /// Starts at the first name and takes one page if it reaches the last; where others' records
    /// lie between, it jumps over them.
    pub async fn record_sets(
        &self,
        zone_id: &str,
        names: &[String],
    ) -> Result<Vec<RecordSet>, Error> {
        let doing = Doing::new(format!(
            "reading the records of {} in hosted zone {zone_id}",
            names.join(", ")
        ));
        let doing = doing.needing("route53:ListResourceRecordSets", zone_arn(zone_id));
        let mut wanted: Vec<String> = names.iter().map(|name| names::listed(name)).collect();
        wanted.sort_by_cached_key(|name| names::order(name));
        wanted.dedup();
        let Some(first) = wanted.first() else {
            return Ok(Vec::new());
        };
        let mut start = Start::at(first);
        let mut found = Vec::new();
        for _ in 0..wanted.len() + SPARE_PAGES {
            let request = self
                .client
                .list_resource_record_sets()
                .hosted_zone_id(zone_id)
                .max_items(PAGE);
            let request = request
                .start_record_name(&start.name)
                .set_start_record_identifier(start.identifier.clone());
            let page = request
                .set_start_record_type(start.kind.clone())
                .send()
                .await
                .map_err(|error| doing.failed(&error))?;
            let next = next_start(&page, &wanted);
            let sets = page.resource_record_sets.into_iter();
            found.extend(
                sets.map(RecordSet)
                    .filter(|set| wanted.contains(&names::listed(&set.0.name))),
            );
            match next {
                Some(next) => start = next,
                None => return Ok(found),
            }
        }
        Err(doing.wrong("there are more records than can be read"))
    }
}

/// Where a page starts.
#[derive(Debug, PartialEq)]
struct Start {
    name: String,
    kind: Option<aws_sdk_route53::types::RrType>,
    identifier: Option<String>,
}

impl Start {
    fn at(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: None,
            identifier: None,
        }
    }
}

/// Where to go on after a page: where it ended, or at the next wanted name if that is further on.
fn next_start(page: &ListResourceRecordSetsOutput, wanted: &[String]) -> Option<Start> {
    let name = page.next_record_name().filter(|_| page.is_truncated())?;
    let next = names::order(name);
    let wanted = wanted.iter().find(|wanted| names::order(wanted) >= next)?;
    if names::order(wanted) > next {
        return Some(Start::at(wanted));
    }
    Some(Start {
        name: name.to_owned(),
        kind: page.next_record_type.clone(),
        identifier: page.next_record_identifier.clone(),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_route53::types::RrType;

    use super::*;

    fn page(next: Option<&str>) -> ListResourceRecordSetsOutput {
        let page = ListResourceRecordSetsOutput::builder()
            .set_resource_record_sets(Some(Vec::new()))
            .max_items(PAGE);
        let page = page
            .is_truncated(next.is_some())
            .set_next_record_name(next.map(str::to_owned))
            .next_record_type(RrType::Txt);
        page.next_record_identifier("i-2").build().unwrap()
    }

    fn wanted() -> Vec<String> {
        ["example.com.", "_spotboot.example.com.", "www.example.com."]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn the_last_page_has_no_next() {
        assert_eq!(next_start(&page(None), &wanted()), None);
    }

    #[test]
    fn a_page_that_reaches_past_the_last_name_is_the_last() {
        assert_eq!(
            next_start(&page(Some("x.www.example.com.")), &wanted()),
            None
        );
    }

    #[test]
    fn records_of_others_are_jumped_over() {
        assert_eq!(
            next_start(&page(Some("b.example.com.")), &wanted()),
            Some(Start::at("www.example.com."))
        );
    }

    #[test]
    fn a_page_that_ends_within_a_wanted_name_goes_on_there() {
        let next = Start {
            name: "www.example.com.".into(),
            kind: Some(RrType::Txt),
            identifier: Some("i-2".into()),
        };
        assert_eq!(
            next_start(&page(Some("www.example.com.")), &wanted()),
            Some(next)
        );
    }
}
