//! Health checks: what failover and multivalue routing go by. Whose a check is, its caller reference
//! says: a check carries no other word of ours.

use std::net::IpAddr;
use std::time::Duration;

use aws_sdk_route53::types::{HealthCheckConfig, HealthCheckType};
use sha2::{Digest, Sha256};

use super::Route53;
use crate::cloud::Error;
use crate::cloud::error::Doing;
use crate::cloud::paging::{Page, paged};

/// Seconds between the requests of each checker; Route 53 takes 10 or 30.
const INTERVAL: i32 = 10;
/// Requests in a row that turn a state.
const THRESHOLD: i32 = 3;

/// How long the checkers take to find that an instance has begun to answer otherwise.
pub fn switches_within() -> Duration {
    Duration::from_secs(INTERVAL.unsigned_abs().into()) * THRESHOLD.unsigned_abs()
}

/// How often one instance's check may have been deleted.
const MOST_REFERENCES: u32 = 30;

/// As many as a page may hold (API reference, "ListHealthChecks").
const PAGE: i32 = 100;

/// Digits of the hash that tells sites of one name apart, and of that which tells a site's checks
/// apart.
const SITE_DIGITS: usize = 8;
const SETTINGS_DIGITS: usize = 10;

/// The caller references of one site's health checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReferences {
    /// Reads well in the console; another site of the account may have the same name, and never the
    /// same place in S3.
    prefix: String,
}

impl Route53 {
    /// The id of an HTTPS health check that `whose` of the site has for these settings, made unless
    /// it is there.
    ///
    /// Route 53 never takes the caller reference of a deleted check again
    /// (`HealthCheckAlreadyExists`): an instance that lost the names, and its check with them, gets
    /// the next one.
    pub async fn health_check_for(
        &self,
        ip: IpAddr,
        port: u16,
        host: &str,
        path: &str,
        (site, whose): (&CheckReferences, &str),
    ) -> Result<String, Error> {
        let doing = Doing::new(format!(
            "making a health check of https://{host}:{port}{path} at {ip}"
        ));
        let doing = doing.needing("route53:CreateHealthCheck", "*");
        let check = HealthCheckConfig::builder()
            .r#type(HealthCheckType::Https)
            .enable_sni(true)
            .ip_address(ip.to_string());
        let check = check
            .port(port.into())
            .fully_qualified_domain_name(host)
            .resource_path(path);
        let check = check
            .request_interval(INTERVAL)
            .failure_threshold(THRESHOLD)
            .build()
            .expect("its type is given");
        let settings = format!("{whose} {ip} {port} {host} {path}");
        for number in 1..=MOST_REFERENCES {
            let request = self
                .client
                .create_health_check()
                .caller_reference(site.reference(&settings, number));
            match request.health_check_config(check.clone()).send().await {
                Ok(answer) => {
                    return answer
                        .health_check
                        .map(|check| check.id)
                        .ok_or_else(|| doing.wrong("the answer has no health check"));
                }
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|error| error.is_health_check_already_exists()) => {}
                Err(error) => return Err(doing.failed(&error)),
            }
        }
        Err(doing.wrong_with_hint(
            "each of its references belongs to a deleted one",
            "start a new instance",
        ))
    }

    /// The ids of the site's health checks, whether or not a record names them.
    ///
    /// # Errors
    /// Those of Route 53, and an account whose checks fill more pages than are read.
    pub async fn health_checks_of(&self, site: &CheckReferences) -> Result<Vec<String>, Error> {
        let doing = Doing::new("listing health checks");
        let doing = doing.needing("route53:ListHealthChecks", "*");
        let all = paged(&doing, async |marker| {
            let request = self.client.list_health_checks().max_items(PAGE);
            let answer = request.set_marker(marker).send().await;
            answer.map(|page| {
                let next = page.next_marker.filter(|_| page.is_truncated);
                Page::new(page.health_checks, next)
            })
        })
        .await?;
        let ours = all
            .into_iter()
            .filter(|check| site.is_of_site(&check.caller_reference));
        Ok(ours.map(|check| check.id).collect())
    }

    /// Deletes a health check; one that is gone already is no error.
    pub async fn delete_health_check(&self, id: &str) -> Result<(), Error> {
        let doing = Doing::new(format!("deleting health check {id}"));
        let doing = doing.needing(
            "route53:DeleteHealthCheck",
            format!("arn:aws:route53:::healthcheck/{id}"),
        );
        match self
            .client
            .delete_health_check()
            .health_check_id(id)
            .send()
            .await
        {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_no_such_health_check()) =>
            {
                Ok(())
            }
            Err(error) => Err(doing.failed(&error)),
        }
    }
}

impl CheckReferences {
    /// The references of the site with this name, whose state stands in this bucket under this
    /// prefix.
    pub fn of(name: &str, bucket: &str, prefix: &str) -> Self {
        let place = digits(&format!("{bucket}/{prefix}"), SITE_DIGITS);
        Self {
            prefix: format!("spotboot-{name}-{place}"),
        }
    }

    /// At most 64 characters (API reference, "CreateHealthCheck"), which names and an IPv6 address
    /// would exceed.
    fn reference(&self, settings: &str, number: u32) -> String {
        let settings = digits(settings, SETTINGS_DIGITS);
        format!("{}{settings}-{number}", self.prefix)
    }

    /// Whether a check with this reference is the site's. The whole reference is read: the name of
    /// another site may begin as this one does.
    fn is_of_site(&self, reference: &str) -> bool {
        let rest = reference.strip_prefix(&self.prefix);
        let parts = rest.and_then(|rest| rest.split_once('-'));
        parts.is_some_and(|(settings, number)| {
            settings.len() == SETTINGS_DIGITS
                && settings.bytes().all(|c| c.is_ascii_hexdigit())
                && number
                    .parse()
                    .is_ok_and(|number| (1..=MOST_REFERENCES).contains(&number))
        })
    }
}

fn digits(text: &str, count: usize) -> String {
    let mut hash = hex::encode(Sha256::digest(text));
    hash.truncate(count);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> CheckReferences {
        CheckReferences::of("example", "example-site", "")
    }

    #[test]
    fn a_reference_is_short_and_differs_with_each_setting_and_number() {
        let longest = CheckReferences::of(&"x".repeat(32), "example-site", "");
        let references = [
            longest.reference("i-1 203.0.113.7", 1),
            longest.reference("i-1 203.0.113.7", MOST_REFERENCES),
            longest.reference("i-1 203.0.113.8", 1),
        ];
        assert!(references.iter().all(|reference| reference.len() <= 64));
        assert!(references[0] != references[1] && references[0] != references[2]);
        assert!(references.iter().all(|each| longest.is_of_site(each)));
    }

    #[test]
    fn a_reference_tells_the_site_also_from_those_of_its_name_or_with_a_name_like_it() {
        let ours = example();
        let of = |name: &str, bucket: &str, prefix: &str| {
            CheckReferences::of(name, bucket, prefix).reference("i-1", 1)
        };
        assert!(ours.is_of_site(&of("example", "example-site", "")));
        let place = &ours.prefix["spotboot-example-".len()..];
        for anothers in [
            of("example", "other-site", ""),
            of("example", "example-site", "a/"),
            of("example-2", "example-site", ""),
            of("exam", "example-site", ""),
            of(&format!("example-{place}"), "example-site", ""),
            of(&format!("example-{place}0123456789"), "example-site", ""),
            of(&format!("example-{place}0123456789-1"), "example-site", ""),
        ] {
            assert!(!ours.is_of_site(&anothers), "{anothers}");
        }
    }

    #[test]
    fn what_no_spotboot_made_is_nobodys() {
        let ours = example();
        let reference = ours.reference("i-1", 1);
        for other in [
            "",
            "spotboot",
            "my own check",
            "spotboot-0123456789012345678901234567890123456789-1",
            &reference[..reference.len() - 2],
            &format!("{reference}x"),
            &format!("{reference}00"),
            &format!("x{reference}"),
        ] {
            assert!(!ours.is_of_site(other), "{other}");
        }
    }
}
