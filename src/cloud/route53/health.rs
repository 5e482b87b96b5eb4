//! Health checks: what failover and multivalue routing go by.

use std::net::IpAddr;

use aws_sdk_route53::types::{HealthCheckConfig, HealthCheckType};
use sha2::{Digest, Sha256};

use super::Route53;
use crate::cloud::Error;
use crate::cloud::error::Doing;

/// Seconds between the requests of each checker; Route 53 takes 10 or 30.
const INTERVAL: i32 = 10;
/// Requests in a row that turn a state.
const THRESHOLD: i32 = 3;

/// How often one instance's check may have been deleted.
const MOST_REFERENCES: u32 = 30;

impl Route53 {
    /// The id of an HTTPS health check that `whose` has for these settings, made unless it is
    /// there.
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
        whose: &str,
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
                .caller_reference(caller_reference(&settings, number));
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

/// At most 64 characters (API reference, "CreateHealthCheck"), which names and an IPv6 address
/// would exceed.
fn caller_reference(settings: &str, number: u32) -> String {
    let hash = hex::encode(Sha256::digest(settings));
    format!("spotboot-{}-{number}", &hash[..40])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_short_and_differs_with_each_setting_and_number() {
        let references = [
            caller_reference("i-1 203.0.113.7", 1),
            caller_reference("i-1 203.0.113.7", 30),
            caller_reference("i-1 203.0.113.8", 1),
        ];
        assert!(references.iter().all(|reference| reference.len() <= 64));
        assert!(references[0] != references[1] && references[0] != references[2]);
    }
}
