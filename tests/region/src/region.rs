//! The region itself: starts every part, says where they are, and stops them.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};
use tokio_rustls::TlsAcceptor;

use crate::acme::{Acme, Authority, Settings};
use crate::elastic::{ElasticIp, Holder, Wiring};
use crate::fleet::{Census, Fleet, FleetSpec, Fleets, Launcher};
use crate::front::{Fault, FaultId, Hold, Hub, Match, Port, Recorded, Service, Stage};
use crate::iam::{Grant, Principal, Request};
use crate::identity::Identities;
use crate::imds::Serves;
use crate::instance::{Instance, InstanceSpec, State};
use crate::launchpad::Launchpad;
use crate::options::Options;
use crate::publishing::Publishing;
use crate::registry::{LaunchLags, Registry};
use crate::route53::{self, Records, Route53};
use crate::s3::{Objects, S3, Store};
use crate::vault::Vault;
use crate::{dns, locked, services};

const THREADS: usize = 2;
const STOPS_WITHIN: Duration = Duration::from_secs(2);

/// A running region. Dropping it stops everything and leaves nothing behind.
pub struct Region {
    options: Options,
    hub: Arc<Hub>,
    pub(crate) ports: BTreeMap<Service, Port>,
    pub(crate) launchpad: Arc<Launchpad>,
    fleets: Arc<Fleets>,
    vault: Vault,
    identities: Identities,
    shared_metadata: Mutex<Vec<Port>>,
    store: Arc<Store>,
    pub(crate) publishing: Publishing,
    pub(crate) route53: Arc<Mutex<route53::State>>,
    dns: SocketAddr,
    acme: Arc<Acme>,
    acme_ca: PathBuf,
    runtime: Option<Runtime>,
    _folder: TempDir,
}

impl Region {
    pub fn start(options: Options) -> Result<Region> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("region")
            .enable_all()
            .build()?;
        let folder = tempfile::Builder::new()
            .prefix("spotboot-region-")
            .tempdir()
            .context("making the region's folder")?;
        let hub = Arc::new(Hub::new(
            Arc::new(Registry::new(&options.region, &options.account)),
            options.latency,
        ));
        hub.registry
            .addresses
            .renumber_after(options.renumbered_after);
        *locked(&hub.registry.lags) = LaunchLags {
            tags: options.tags_after,
            pending: options.pending_after,
        };
        let route53 = Arc::new(Mutex::new(route53::State::new(
            options.insync_delay,
            options.route53_rate,
        )));
        for (name, id) in &options.zones {
            locked(&route53).add_zone(name, id, false)?;
        }
        let fleets = Arc::new(Fleets::default());
        let ledger = fleets.ledger.clone();
        let s3 = S3::new(
            hub.registry.clone(),
            &folder.path().join("s3"),
            &options.buckets,
            &options.public_buckets,
            ledger,
        )?;
        let store = s3.store.clone();
        let dns = run_on(runtime.handle(), dns::serve(options.bind, route53.clone()))?;
        runtime
            .handle()
            .spawn(route53::ask(options.checkers, route53.clone()));
        let authority = Arc::new(Authority::new(options.addresses())?);
        let acme_ca = folder.path().join("acme-ca.pem");
        std::fs::write(&acme_ca, authority.pem())?;
        let tls = TlsAcceptor::from(authority.server()?);
        let settings = Settings::new(dns, &options);
        let acme = Arc::new(Acme::new(
            hub.registry.clone(),
            authority.clone(),
            settings,
            folder.path().to_owned(),
        ));
        let route53_service = Route53::new(hub.registry.clone(), route53.clone());
        let (vault, identities) = (Vault::default(), Identities::new(hub.registry.clone()));
        let kept = (vault.clone(), identities.clone());
        let publishing = Publishing::new(hub.registry.clone(), authority.clone(), Arc::new(s3));
        let opening = publishing.open(hub.clone(), options.clone());
        let mut ports = run_on(runtime.handle(), opening)?;
        let opening = services::open_all(
            hub.clone(),
            options.bind,
            route53_service,
            (acme.clone(), tls),
            fleets.clone(),
            kept,
        );
        ports.extend(run_on(runtime.handle(), opening)?);
        let launchpad = Arc::new(services::launchpad(
            &hub,
            runtime.handle(),
            &options,
            &ports,
        ));
        if options.start_acme {
            let acme = acme.clone();
            run_on(runtime.handle(), async move { acme.start().await })?;
        }
        let shared_metadata = Mutex::default();
        let region = Region {
            options,
            hub,
            ports,
            launchpad,
            fleets,
            vault,
            identities,
            shared_metadata,
            store,
            publishing,
            route53,
            dns,
            acme,
            acme_ca,
            runtime: Some(runtime),
            _folder: folder,
        };
        region.begin_publishing()?;
        Ok(region)
    }

    /// What CI has in its environment: the endpoints, the region and static credentials.
    pub fn env(&self) -> BTreeMap<String, String> {
        let ci = &self.hub.registry.ci;
        let mut env = self.launchpad.endpoints.clone();
        env.insert("AWS_REGION".to_owned(), self.options.region.clone());
        env.insert("AWS_ACCESS_KEY_ID".to_owned(), ci.access_key.clone());
        env.insert("AWS_SECRET_ACCESS_KEY".to_owned(), ci.secret.clone());
        env.insert("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
        env
    }

    /// Where a service listens, as a URL without a path. Each instance has an IMDS of its own: see
    /// [`Instance::env`].
    pub fn endpoint(&self, service: Service) -> String {
        let scheme = if [Service::Acme, Service::CloudFront].contains(&service) {
            "https"
        } else {
            "http"
        };
        self.ports
            .get(&service)
            .map(|port| format!("{scheme}://{}", self.launchpad.reach(port.addr)))
            .unwrap_or_default()
    }

    /// The account id and region's name stand in what instances are told.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Launches an instance: from now on EC2 knows it as running, and its metadata is served.
    pub fn launch(&self, spec: InstanceSpec) -> Result<Instance> {
        self.launchpad.launch(spec, State::Running)
    }

    /// Serves the metadata of all instances at one address (169.254.169.254:80), telling them by
    /// [`InstanceSpec::peer`]. Returns the address, with the port that port 0 became.
    pub fn serve_metadata_at(&self, addr: SocketAddr) -> Result<SocketAddr> {
        let port = self.launchpad.open(Serves::ByPeer, addr)?;
        let addr = port.addr;
        locked(&self.shared_metadata).push(port);
        Ok(addr)
    }

    /// From now on public addresses come from there: before the first Elastic IP.
    pub fn wire(&self, wiring: Arc<dyn Wiring>) {
        self.hub.registry.addresses.wire(wiring);
    }

    /// An Elastic IP with these tags that leads nowhere yet.
    pub fn allocate_address(&self, tags: &[(&str, &str)]) -> Result<ElasticIp> {
        self.allocate(tags, Holder::Nobody)
    }

    /// One that an interface has which is no instance's: a NAT gateway's.
    pub fn allocate_address_of_interface(
        &self,
        tags: &[(&str, &str)],
        interface: &str,
    ) -> Result<ElasticIp> {
        self.allocate(tags, Holder::Interface(interface.to_owned()))
    }

    fn allocate(&self, tags: &[(&str, &str)], holder: Holder) -> Result<ElasticIp> {
        let tags = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        self.hub.registry.addresses.allocate(tags, holder)
    }

    /// As somebody at the console would.
    pub fn associate_address(&self, elastic: &ElasticIp, instance: &str) -> Result<()> {
        let machine = self
            .hub
            .registry
            .machine(instance)
            .with_context(|| format!("no instance {instance} was launched"))?;
        self.hub.registry.associate(elastic, &machine)
    }

    /// The instance that an Elastic IP leads to.
    pub fn holder_of(&self, elastic: &ElasticIp) -> Option<String> {
        let found = self
            .hub
            .registry
            .elastic_ips()
            .into_iter()
            .find(|(known, _)| known.allocation == elastic.allocation);
        found.and_then(|(_, holder)| {
            if let Holder::Instance(id) = holder {
                Some(id)
            } else {
                None
            }
        })
    }

    /// Creates a fleet, which launches its instances at once.
    pub fn create_fleet(&self, spec: FleetSpec, launcher: Arc<dyn Launcher>) -> Result<Fleet> {
        self.fleets.create(spec, launcher, self.launchpad.clone())
    }

    /// How many instances of fleets lived and served, at every change; in the order of time.
    pub fn census(&self) -> Vec<Census> {
        self.fleets.ledger.all()
    }

    /// Waits until the latest count is as wanted.
    pub fn wait_for_census(
        &self,
        wanted: impl Fn(&Census) -> bool,
        timeout: Duration,
    ) -> Result<Census> {
        self.fleets.ledger.wait(wanted, timeout)
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.hub.recorder.all()
    }

    /// How many requests a service had; `""` is any operation.
    pub fn count(&self, service: Service, operation: &str) -> usize {
        self.count_where(|request| {
            request.service == service && (operation.is_empty() || request.operation == operation)
        })
    }

    pub fn count_where(&self, wanted: impl Fn(&Recorded) -> bool) -> usize {
        self.hub.recorder.count(wanted)
    }

    /// The first such request, past ones included; none if there was none in time. It may not be
    /// answered yet: ask for a `status` where that matters.
    pub fn wait_for_request(
        &self,
        wanted: impl Fn(&Recorded) -> bool,
        timeout: Duration,
    ) -> Option<Recorded> {
        self.hub.recorder.wait(wanted, timeout)
    }

    pub fn forget_requests(&self) {
        self.hub.recorder.forget();
    }

    pub fn fault(&self, scope: Match, fault: Fault) -> FaultId {
        self.hub.faults.add(scope, fault)
    }

    /// How many requests the fault has struck.
    pub fn hits(&self, fault: FaultId) -> usize {
        self.hub.faults.hits(fault)
    }

    pub fn lift(&self, fault: FaultId) {
        self.hub.faults.lift(fault);
    }

    /// Lifts every fault; holds stay.
    pub fn lift_all(&self) {
        self.hub.faults.lift_all();
    }

    /// Stops the requests that fit half-way, until the hold is released or discarded.
    pub fn hold(&self, scope: Match, stage: Stage) -> Hold {
        Hold::set(self.hub.clone(), scope, stage)
    }

    /// From now on the principal may do only what this policy (JSON) allows. Without one it may do
    /// all.
    ///
    /// # Errors
    /// The policy is no policy, or has an operator, a key or an element that is not known here.
    pub fn enforce(&self, principal: Principal, policy: &str) -> Result<()> {
        self.hub.guard.enforce(principal, policy)
    }

    /// Whether the principal's policy would allow an action on a resource (an ARN) that no
    /// condition key tells anything of.
    pub fn allows(&self, principal: Principal, action: &str, resource: &str) -> bool {
        self.hub
            .guard
            .allows(principal, &Request::new(action, resource))
    }

    /// What the principal's policy allows and no request has needed so far.
    pub fn unused_grants(&self, principal: Principal) -> Vec<Grant> {
        self.hub.guard.unused(principal)
    }

    pub fn set_latency(&self, service: Service, round_trip: Duration) {
        self.hub.set_latency(service, round_trip);
    }

    /// The service refuses connections and ends those that are open. For an instance's own IMDS see
    /// [`Instance::metadata_down`].
    pub fn down(&self, service: Service) {
        self.switch(service, false);
    }

    /// The service is back, on the same port.
    pub fn up(&self, service: Service) {
        self.switch(service, true);
    }

    fn switch(&self, service: Service, open: bool) {
        self.ports
            .get(&service)
            .into_iter()
            .for_each(|port| port.switch(open));
        if service == Service::Imds {
            locked(&self.shared_metadata)
                .iter()
                .for_each(|port| port.switch(open));
        }
    }

    pub fn s3(&self) -> Objects {
        Objects {
            handle: self.handle().clone(),
            store: self.store.clone(),
        }
    }

    pub fn route53(&self) -> Records {
        Records {
            state: self.route53.clone(),
        }
    }

    /// What SSM and Secrets Manager keep.
    pub fn vault(&self) -> Vault {
        self.vault.clone()
    }

    /// The account's users, roles and sessions.
    pub fn identities(&self) -> Identities {
        self.identities.clone()
    }

    /// The name server, for UDP and TCP.
    pub fn dns(&self) -> SocketAddr {
        self.launchpad.reach(self.dns)
    }

    pub fn acme_directory(&self) -> String {
        format!("{}/dir", self.endpoint(Service::Acme))
    }

    /// A PEM file with the CA of the directory's own TLS.
    pub fn acme_ca(&self) -> PathBuf {
        self.acme_ca.clone()
    }

    /// The root of the certificates that pebble issues, in PEM. Starts pebble.
    pub fn acme_issuer_roots(&self) -> Result<String> {
        let acme = self.acme.clone();
        run_on(self.handle(), async move { acme.issuer_roots().await })
    }

    /// When the CA suggests to renew a certificate (PEM, leaf first), in RFC 3339. Needs
    /// [`crate::later_pebble`].
    pub fn suggest_renewal(&self, certificate: &str, start: &str, end: &str) -> Result<()> {
        let answer = format!(r#"{{"suggestedWindow":{{"start":"{start}","end":"{end}"}}}}"#);
        let (acme, certificate) = (self.acme.clone(), certificate.to_owned());
        run_on(self.handle(), async move {
            acme.set_renewal_info(&certificate, &answer).await
        })
    }

    /// Every secret key, session token, metadata token and value of the vault so far: what must
    /// stand in no log.
    pub fn secrets(&self) -> Vec<String> {
        self.hub
            .registry
            .secrets()
            .into_iter()
            .chain(self.vault.values())
            .collect()
    }

    fn handle(&self) -> &Handle {
        self.runtime
            .as_ref()
            .map(Runtime::handle)
            .expect("the runtime lives as long as the region")
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.fleets.end();
        let acme = self.acme.clone();
        run_on(self.handle(), async move { acme.stop().await });
        if let Some(runtime) = self.runtime.take() {
            // From a thread of its own: a runtime may not be waited for within another.
            let _ = std::thread::spawn(move || runtime.shutdown_timeout(STOPS_WITHIN)).join();
        }
    }
}

/// Runs a future on the region's own threads and waits for it; also fine within another runtime.
pub(crate) fn run_on<T: Send + 'static>(
    handle: &Handle,
    future: impl Future<Output = T> + Send + 'static,
) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    handle.spawn(async move { sender.send(future.await) });
    receiver.recv().expect("a task of the region panicked")
}
