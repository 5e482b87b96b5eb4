//! The region's services, each on a port of its own.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;

use crate::acme::Acme;
use crate::autoscaling::AutoScaling;
use crate::ec2::Ec2;
use crate::fleet::Fleets;
use crate::front::{Hub, Port, Service};
use crate::identity::{Identities, Oidc, Portal, SignIn, Sts};
use crate::launchpad::Launchpad;
use crate::options::Options;
use crate::route53::Route53;
use crate::vault::{Manager, Parameters, Vault};

pub(crate) async fn open_all(
    hub: Arc<Hub>,
    bind: IpAddr,
    route53: Route53,
    (acme, tls): (Arc<Acme>, TlsAcceptor),
    fleets: Arc<Fleets>,
    (vault, identities): (Vault, Identities),
) -> Result<BTreeMap<Service, Port>> {
    let at = SocketAddr::new(bind, 0);
    let (ec2, groups) = (
        Ec2::new(hub.registry.clone(), fleets.clone()),
        AutoScaling::new(hub.registry.clone(), fleets),
    );
    let (parameters, manager) = (
        Parameters::new(hub.registry.clone(), vault.clone()),
        Manager::new(hub.registry.clone(), vault),
    );
    Ok(BTreeMap::from([
        (
            Service::Route53,
            Port::open(hub.clone(), Arc::new(route53), at, None).await?,
        ),
        (
            Service::Ec2,
            Port::open(hub.clone(), Arc::new(ec2), at, None).await?,
        ),
        (
            Service::AutoScaling,
            Port::open(hub.clone(), Arc::new(groups), at, None).await?,
        ),
        (
            Service::Ssm,
            Port::open(hub.clone(), Arc::new(parameters), at, None).await?,
        ),
        (
            Service::SecretsManager,
            Port::open(hub.clone(), Arc::new(manager), at, None).await?,
        ),
        (
            Service::Sts,
            Port::open(
                hub.clone(),
                Arc::new(Sts::new(hub.registry.clone(), identities.clone())),
                at,
                None,
            )
            .await?,
        ),
        (
            Service::Sso,
            Port::open(hub.clone(), Arc::new(Portal(identities.clone())), at, None).await?,
        ),
        (
            Service::SsoOidc,
            Port::open(hub.clone(), Arc::new(Oidc(identities.clone())), at, None).await?,
        ),
        (
            Service::SignIn,
            Port::open(hub.clone(), Arc::new(SignIn(identities)), at, None).await?,
        ),
        (Service::Acme, Port::open(hub, acme, at, Some(tls)).await?),
    ]))
}

/// The services that the SDK finds by a variable, and their names in it.
const NAMED: [(&str, Service); 10] = [
    ("S3", Service::S3),
    ("ROUTE_53", Service::Route53),
    ("EC2", Service::Ec2),
    ("AUTO_SCALING", Service::AutoScaling),
    ("SSM", Service::Ssm),
    ("SECRETS_MANAGER", Service::SecretsManager),
    ("STS", Service::Sts),
    ("SSO", Service::Sso),
    ("SSO_OIDC", Service::SsoOidc),
    ("SIGNIN", Service::SignIn),
];

pub(crate) fn launchpad(
    hub: &Arc<Hub>,
    handle: &Handle,
    options: &Options,
    ports: &BTreeMap<Service, Port>,
) -> Launchpad {
    let (bind, advertise, endpoints) = (options.bind, options.advertise, BTreeMap::new());
    let mut launchpad = Launchpad {
        hub: hub.clone(),
        handle: handle.clone(),
        bind,
        advertise,
        endpoints,
    };
    for (name, service) in NAMED {
        let url = ports
            .get(&service)
            .map(|port| format!("http://{}", launchpad.reach(port.addr)))
            .unwrap_or_default();
        launchpad
            .endpoints
            .insert(format!("AWS_ENDPOINT_URL_{name}"), url);
    }
    launchpad
}
