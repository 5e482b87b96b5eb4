//! Health checks: what failover and multivalue routing go by.

use std::net::IpAddr;

use aws_sdk_route53::types::{HealthCheckConfig, HealthCheckType};

use super::Route53;
use crate::cloud::Error;
use crate::cloud::error::Doing;

/// Seconds between the requests of each checker; Route 53 takes 10 or 30.
const INTERVAL: i32 = 10;
/// Requests in a row that turn a state.
const THRESHOLD: i32 = 3;

impl Route53 {
    /// The id of an HTTPS health check, made unless the same one with this caller reference is there.
    ///
    /// Route 53 never takes the reference of a deleted check again, nor one with other settings (`HealthCheckAlreadyExists`).
    pub async fn health_check_for(&self, ip: IpAddr, port: u16, host: &str, path: &str, caller_reference: &str) -> Result<String, Error> {
        let doing = Doing::new(format!("making a health check of https://{host}:{port}{path} at {ip}"));
        let doing = doing.needing("route53:CreateHealthCheck", "*");
        let check = HealthCheckConfig::builder().r#type(HealthCheckType::Https).enable_sni(true).ip_address(ip.to_string());
        let check = check.port(port.into()).fully_qualified_domain_name(host).resource_path(path);
        let check = check.request_interval(INTERVAL).failure_threshold(THRESHOLD).build().expect("its type is given");
        let request = self.client.create_health_check().caller_reference(caller_reference).health_check_config(check);
        let answer = request.send().await.map_err(|error| doing.failed(&error))?;
        answer.health_check.map(|check| check.id).ok_or_else(|| doing.wrong("the answer has no health check"))
    }

    /// Deletes a health check; one that is gone already is no error.
    pub async fn delete_health_check(&self, id: &str) -> Result<(), Error> {
        let doing = Doing::new(format!("deleting health check {id}"));
        let doing = doing.needing("route53:DeleteHealthCheck", format!("arn:aws:route53:::healthcheck/{id}"));
        match self.client.delete_health_check().health_check_id(id).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_health_check()) => Ok(()),
            Err(error) => Err(doing.failed(&error)),
        }
    }
}
