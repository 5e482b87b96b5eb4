//! Why emergency mode cannot be switched on with this site.toml. It is said before AWS is asked for
//! anything.

use anyhow::Result;

use crate::cli::FailoverOn;
use crate::config::{Failover, NotSecondary, Site};
use crate::outcome::usage;

/// The table that says where the mirror is.
///
/// # Errors
/// There is none.
pub fn failover(site: &Site) -> Result<&Failover> {
    site.failover.as_ref().ok_or_else(|| {
        usage(
            "site.toml has no [failover] table, so there is no mirror that could answer; add one with its bucket, and run `spotboot mirror`",
        )
    })
}

/// Checks that the site has what is asked for.
///
/// # Errors
/// [`Usage`](crate::outcome::Usage), with everything that is in the way.
pub fn check(site: &Site, args: &FailoverOn) -> Result<()> {
    let failover = failover(site)?;
    let missing = missing(site, failover, args);
    if let Some(first) = missing.into_iter().next() {
        return Err(usage(&first));
    }
    if args.redirect {
        return Ok(());
    }
    site.secondary()
        .map(drop)
        .map_err(|why| usage(&in_words(&why)))
}

/// Keys that the flags need.
fn missing(site: &Site, failover: &Failover, args: &FailoverOn) -> Vec<String> {
    let mut missing = Vec::new();
    if args.redirect && failover.name.is_none() {
        missing.push(
            "--redirect sends visitors to failover.name, and site.toml has none; add it, or leave --redirect out"
                .to_owned(),
        );
    }
    if args.page && !site.app.has_releases() {
        missing.push(
            "kind s3 has no mirror of spotboot's making, so that --page has nothing to put at its front; leave --page out"
                .to_owned(),
        );
    } else if args.page && failover.page.is_none() {
        missing.push(
            "--page shows failover.page at the mirror's front, and site.toml has none; add it and run `spotboot mirror`, or leave --page out"
                .to_owned(),
        );
    }
    missing
}

fn in_words(why: &[NotSecondary]) -> String {
    let each: Vec<String> = why.iter().map(|why| format!("the mirror {why}")).collect();
    format!("the names cannot lead to the mirror: {}", each.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "[site]\nname = \"example\"\ndomains = [\"example.com\"]\nbucket = \"example-site\"\n[app]\nkind = \"static\"\n";

    fn refused(tables: &str, page: bool, redirect: bool) -> Option<String> {
        let site = Site::parse("site.toml", &format!("{SITE}{tables}")).unwrap();
        let why = None;
        let args = FailoverOn {
            page,
            redirect,
            why,
        };
        check(&site, &args).err().map(|error| error.to_string())
    }

    #[test]
    fn a_site_that_lacks_what_is_asked_for_is_told_what() {
        let bucket = "[failover]\nbucket = \"mirror\"\n";
        let cloudfront = format!("{bucket}cloudfront = \"d111.cloudfront.net\"\n");
        let says = |tables: &str, page, redirect, words: &str| {
            let told = refused(tables, page, redirect).unwrap();
            assert!(told.contains(words), "no {words:?} in {told}");
        };
        says("", false, false, "no [failover] table");
        says(bucket, false, false, "has no TLS");
        says(bucket, false, true, "failover.name");
        says(&cloudfront, true, false, "failover.page");
        assert_eq!(refused(&cloudfront, false, false), None);
        let named = format!("{cloudfront}name = \"static.example.com\"\npage = \"/emergency/\"\n");
        assert_eq!(refused(&named, true, true), None);
    }
}
