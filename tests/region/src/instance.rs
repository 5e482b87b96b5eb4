//! An instance: what it is launched with, and the handle by which a test directs its life.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use time::OffsetDateTime;

use crate::front::Port;
use crate::locked;
use crate::registry::{Machine, Situation};

/// What an instance is launched with.
#[derive(Clone, Debug)]
pub struct InstanceSpec {
    pub id: String,
    pub public_ipv4: Option<Ipv4Addr>,
    pub public_ipv6: Option<Ipv6Addr>,
    pub private_ipv4: Ipv4Addr,
    /// Whole seconds, as the identity document gives it.
    pub launched: OffsetDateTime,
    pub instance_type: String,
    pub image: String,
    pub tags: BTreeMap<String, String>,
    /// Whether the metadata shows the tags (`InstanceMetadataTags`).
    pub tags_in_metadata: bool,
    pub user_data: Option<Vec<u8>>,
    /// The instance profile's role; empty for none.
    pub role: String,
    /// Of its network interface; cloud-init matches its links by it.
    pub mac: String,
    /// The address by which an IMDS that serves several instances knows this one.
    pub peer: Option<IpAddr>,
}

impl InstanceSpec {
    /// A plain one, launched now, with a role and no public address.
    pub fn new(id: &str) -> InstanceSpec {
        InstanceSpec {
            id: id.to_owned(),
            public_ipv4: None,
            public_ipv6: None,
            private_ipv4: Ipv4Addr::new(10, 0, 0, 10),
            launched: OffsetDateTime::now_utc()
                .replace_nanosecond(0)
                .unwrap_or(OffsetDateTime::UNIX_EPOCH),
            instance_type: "t3.micro".to_owned(),
            image: "ami-0123456789abcdef0".to_owned(),
            tags: BTreeMap::new(),
            tags_in_metadata: true,
            user_data: None,
            role: "spotboot-instance".to_owned(),
            mac: "02:00:00:00:00:01".to_owned(),
            peer: None,
        }
    }

    pub fn public_ipv4(mut self, address: Ipv4Addr) -> InstanceSpec {
        self.public_ipv4 = Some(address);
        self
    }

    pub fn launched(mut self, at: OffsetDateTime) -> InstanceSpec {
        self.launched = at;
        self
    }

    pub fn tag(mut self, key: &str, value: &str) -> InstanceSpec {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }
}

/// An instance's state as EC2 names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl State {
    /// EC2's code and name.
    pub(crate) fn code_and_name(self) -> (u16, &'static str) {
        match self {
            State::Pending => (0, "pending"),
            State::Running => (16, "running"),
            State::ShuttingDown => (32, "shutting-down"),
            State::Terminated => (48, "terminated"),
            State::Stopping => (64, "stopping"),
            State::Stopped => (80, "stopped"),
        }
    }
}

/// A launched instance. Its metadata service lives as long as this handle; EC2 remembers the
/// instance beyond that.
pub struct Instance {
    pub(crate) machine: Arc<Machine>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) metadata: Port,
}

impl Instance {
    pub fn id(&self) -> &str {
        &self.machine.spec.id
    }

    pub fn spec(&self) -> &InstanceSpec {
        &self.machine.spec
    }

    /// The endpoints, its own IMDS among them; its credentials and region come from there, as on
    /// EC2.
    pub fn env(&self) -> BTreeMap<String, String> {
        self.env.clone()
    }

    /// The one that it has now: an Elastic IP, where one leads to it.
    pub fn public_ipv4(&self) -> Option<Ipv4Addr> {
        self.machine.public_ipv4()
    }

    pub fn state(&self) -> State {
        locked(&self.machine.now).state
    }

    pub fn set_state(&self, state: State) {
        self.change(|now| now.state = state);
    }

    pub fn set_tag(&self, key: &str, value: &str) {
        self.change(|now| _ = now.tags.insert(key.to_owned(), value.to_owned()));
    }

    /// The spot interruption notice: terminated at that time.
    pub fn interrupt(&self, at: OffsetDateTime) {
        self.change(|now| now.interruption = Some(at));
    }

    pub fn withdraw_interruption(&self) {
        self.change(|now| now.interruption = None);
    }

    /// A rebalance recommendation, given now.
    pub fn rebalance(&self) {
        self.change(|now| now.rebalance = Some(OffsetDateTime::now_utc()));
    }

    /// Every metadata token that was issued so far is refused with 401 from now on.
    pub fn expire_tokens(&self) {
        self.change(|now| now.tokens_since = Instant::now());
    }

    /// Shuts this instance's metadata service, or opens it again on the same port.
    pub fn metadata_down(&self, down: bool) {
        self.metadata.switch(!down);
    }

    fn change(&self, change: impl FnOnce(&mut Situation)) {
        change(&mut locked(&self.machine.now));
    }
}
