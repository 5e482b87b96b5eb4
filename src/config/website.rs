//! Where S3 serves a bucket as a website, region by region (AWS General Reference, "Amazon S3
//! endpoints and quotas", table "Amazon S3 website endpoints").

/// CloudFront's own zone for alias records (AWS General Reference, "Amazon CloudFront endpoints and
/// quotas").
pub const CLOUDFRONT_ZONE: &str = "Z2FDTNDATAQYW2";

/// How every website endpoint begins.
pub const WEBSITE_ENDPOINTS: &str = "s3-website";

/// Regions whose website endpoint has a dash before its name.
const DASHED: [&str; 9] = [
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "ap-northeast-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "eu-west-1",
    "sa-east-1",
    "us-gov-west-1",
];

/// The hosted zone of each region's endpoint, by which an alias record leads there.
const ZONES: [(&str, &str); 36] = [
    ("af-south-1", "Z11KHD8FBVPUYU"),
    ("ap-east-1", "ZNB98KWMFR0R6"),
    ("ap-east-2", "Z064739330DAH7WJVOO93"),
    ("ap-northeast-1", "Z2M4EHUR26P7ZW"),
    ("ap-northeast-2", "Z3W03O7B5YMIYP"),
    ("ap-northeast-3", "Z2YQB5RD63NC85"),
    ("ap-south-1", "Z11RGJOFQNVJUP"),
    ("ap-south-2", "Z02976202B4EZMXIPMXF7"),
    ("ap-southeast-1", "Z3O0J2DXBE1FTB"),
    ("ap-southeast-2", "Z1WCIGYICN2BYD"),
    ("ap-southeast-3", "Z01846753K324LI26A3VV"),
    ("ap-southeast-4", "Z0312387243XT5FE14WFO"),
    ("ap-southeast-5", "Z08660063OXLMA7F1FJHU"),
    ("ap-southeast-7", "Z0031014GXUMRZG6I14G"),
    ("ca-central-1", "Z1QDHH18159H29"),
    ("ca-west-1", "Z03565811Z33SLEZTHOUL"),
    ("cn-north-1", "Z5CN8UMXT92WN"),
    ("cn-northwest-1", "Z282HJ1KT0DH03"),
    ("eu-central-1", "Z21DNDUVLTQW6Q"),
    ("eu-central-2", "Z030506016YDQGETNASS"),
    ("eu-north-1", "Z3BAZG2TWCNX0D"),
    ("eu-south-1", "Z3IXVV8C73GIO3"),
    ("eu-south-2", "Z0081959F7139GRJC19J"),
    ("eu-west-1", "Z1BKCTXD74EZPE"),
    ("eu-west-2", "Z3GKZC51ZF0DB4"),
    ("eu-west-3", "Z3R1K369G5AVDG"),
    ("il-central-1", "Z09640613K4A3MN55U7GU"),
    ("me-central-1", "Z06143092I8HRXZRUZROF"),
    ("me-south-1", "Z1MPMWCPA7YB62"),
    ("sa-east-1", "Z7KQH4QJS55SO"),
    ("us-east-1", "Z3AQBSTGFYJSTF"),
    ("us-east-2", "Z2O1EMRO9K5GLX"),
    ("us-gov-east-1", "Z2NIFVYYW2VKV1"),
    ("us-gov-west-1", "Z31GFT0UA1I2HV"),
    ("us-west-1", "Z2F56UZL2M1ACD"),
    ("us-west-2", "Z3BJ6K6RIION7M"),
];

/// The endpoint of a region's websites: an alias record's target, and with `<bucket>.` before it
/// the host of one website.
pub fn website_endpoint(region: &str) -> String {
    let separator = if DASHED.contains(&region) { '-' } else { '.' };
    format!("{WEBSITE_ENDPOINTS}{separator}{region}.{}", suffix(region))
}

/// The endpoint of a region's objects (AWS General Reference, "Amazon S3 endpoints"): with
/// `/<bucket>/<key>` after it, the URL of one object.
pub fn object_endpoint(region: &str) -> String {
    format!("s3.{region}.{}", suffix(region))
}

/// What the names of all endpoints of a region end in.
fn suffix(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    }
}

/// The endpoint's hosted zone; `None`: a region later than this table.
pub fn website_zone(region: &str) -> Option<&'static str> {
    let found = ZONES.iter().find(|(known, _)| *known == region);
    found.map(|(_, zone)| *zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_spells_its_endpoint_its_own_way() {
        for (region, endpoint) in [
            ("ap-southeast-2", "s3-website-ap-southeast-2.amazonaws.com"),
            ("us-east-2", "s3-website.us-east-2.amazonaws.com"),
            ("eu-central-1", "s3-website.eu-central-1.amazonaws.com"),
            ("cn-north-1", "s3-website.cn-north-1.amazonaws.com.cn"),
        ] {
            assert_eq!(website_endpoint(region), endpoint);
        }
        assert_eq!(object_endpoint("eu-west-1"), "s3.eu-west-1.amazonaws.com");
        assert_eq!(
            object_endpoint("cn-north-1"),
            "s3.cn-north-1.amazonaws.com.cn"
        );
    }

    #[test]
    fn each_zone_is_one_regions_and_every_dashed_region_has_one() {
        let mut zones: Vec<&str> = ZONES.iter().map(|(_, zone)| *zone).collect();
        zones.sort_unstable();
        assert!(zones.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(zones.iter().all(|zone| zone.starts_with('Z')));
        assert!(DASHED.iter().all(|region| website_zone(region).is_some()));
        assert_eq!(website_zone("eu-west-1"), Some("Z1BKCTXD74EZPE"));
        assert_eq!(website_zone("xx-new-1"), None);
    }
}
