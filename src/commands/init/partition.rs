//! AWS's partitions: clouds apart, with accounts of their own.

/// How the names of regions begin outside of the main partition, and what people call the place.
/// Each has ARNs and domain names of its own (IAM user guide, "Partition"; botocore,
/// partitions.json).
const OTHERS: [(&str, &str); 5] = [
    ("cn-", "China"),
    ("us-gov-", "GovCloud"),
    ("eusc-", "the European Sovereign Cloud"),
    ("us-iso", "an isolated cloud"),
    ("eu-iso", "an isolated cloud"),
];

/// The place, where the region is not of the main partition.
pub fn elsewhere(region: &str) -> Option<&'static str> {
    let other = OTHERS
        .into_iter()
        .find(|(begin, _)| region.starts_with(begin));
    other.map(|(_, place)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_tells_its_partition() {
        for (region, place) in [
            ("cn-northwest-1", Some("China")),
            ("us-gov-west-1", Some("GovCloud")),
            ("eusc-de-east-1", Some("the European Sovereign Cloud")),
            ("us-isob-east-1", Some("an isolated cloud")),
            ("eu-isoe-west-1", Some("an isolated cloud")),
            ("eu-central-1", None),
            ("us-west-1", None),
            ("ca-west-1", None),
        ] {
            assert_eq!(elsewhere(region), place, "{region}");
        }
    }
}
