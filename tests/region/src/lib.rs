//! One AWS region on one machine, from real parts wherever there is one: pebble, hickory-server, s3s-fs; Route 53, EC2 and IMDS are ours.
//! Everything runs on the region's own threads, so that a plain `#[test]` can drive it; dropping the [`Region`] stops it all.
//!
//! The whole public API (being filled in this order: front, IMDS, S3, Route 53, ACME and DNS, EC2, binary):
//!
//! ```text
//! impl Region {                                             // Send + Sync; every call blocks for a moment at most, also fine inside #[tokio::test]
//!     fn start(Options) -> anyhow::Result<Region>
//!     fn env(&self) -> BTreeMap<String, String>             // AWS_ENDPOINT_URL_{S3,ROUTE_53,EC2}, AWS_REGION, static CI credentials, IMDS off
//!     fn endpoint(&self, Service) -> String                 // "http://127.0.0.1:41234"
//!     fn launch(&self, InstanceSpec) -> anyhow::Result<Instance>
//!     fn serve_metadata_at(&self, SocketAddr) -> anyhow::Result<()>   // one IMDS that tells instances by InstanceSpec::peer (169.254.169.254:80)
//!     // recorder
//!     fn requests(&self) -> Vec<Recorded>
//!     fn count(&self, Service, operation: &str) -> usize    // "" = any operation
//!     fn count_where(&self, impl Fn(&Recorded) -> bool) -> usize
//!     fn wait_for_request(&self, impl Fn(&Recorded) -> bool, Duration) -> Option<Recorded>   // looks at past requests, too
//!     fn forget_requests(&self)
//!     // faults
//!     fn fault(&self, Match, Fault) -> FaultId
//!     fn hits(&self, FaultId) -> usize                      // how many requests it struck
//!     fn lift(&self, FaultId); fn lift_all(&self)
//!     fn hold(&self, Match, Stage) -> Hold                  // for kill tests
//!     fn set_latency(&self, Service, Duration)              // a round trip to every request; Options::latency sets all
//!     fn down(&self, Service); fn up(&self, Service)        // connection refused, on the same port
//!     // services
//!     fn s3(&self) -> Objects                               // put/get/list/delete directly, unrecorded
//!     fn route53(&self) -> Records                          // seed/read records, history of applied batches
//!     fn dns(&self) -> SocketAddr                           // UDP and TCP
//!     fn acme_directory(&self) -> String                    // https://127.0.0.1:port/dir
//!     fn acme_ca(&self) -> PathBuf                          // PEM to trust for the directory
//!     fn acme_issuer_roots(&self) -> anyhow::Result<String> // PEM of the roots of issued certificates; starts pebble
//! }
//! struct Options { bind: IpAddr, zones: Vec<(String, String)>, buckets: Vec<String>, region: String, account: String, insync_delay: Duration, latency: Duration,
//!                  route53_rate: Option<u32> /* per second */, nonce_reject_percent: u8, start_acme: bool, certificates_per_week: Option<u32> }   // Default
//! struct InstanceSpec { id: String, public_ipv4: Option<Ipv4Addr>, public_ipv6: Option<Ipv6Addr>, private_ipv4: Ipv4Addr, launched: OffsetDateTime, instance_type: String,
//!                       image: String, tags: BTreeMap<String, String>, user_data: Option<Vec<u8>>, role: String, peer: Option<IpAddr> }          // InstanceSpec::new("i-…")
//! impl Instance { fn id(&self) -> &str; fn env(&self) -> BTreeMap<String, String>; fn set_state(&self, State); fn interrupt(&self, at: OffsetDateTime); fn withdraw_interruption(&self);
//!                 fn rebalance(&self); fn set_tag(&self, k, v); fn expire_tokens(&self) }
//! enum State { Pending, Running, ShuttingDown, Terminated, Stopping, Stopped }
//! enum Service { S3, Route53, Ec2, Imds, Acme }
//! struct Recorded { number: u64, at: OffsetDateTime, service: Service, operation: String, method: String, path: String /* with query */, body: Bytes /* first 64 KiB */,
//!                   instance: Option<String>, status: Option<u16>, fault: Option<String>, took: Option<Duration> }
//! Match::any() | Match::service(Service).operation("GetObject").path("substring").instance("i-…").nth(3) | .from(2).times(3)     // default: every one
//! enum Fault { Delay(Duration), Respond { status, code, message, retry_after }, Throttle, Reset, LoseAnswer /* done, then reset */, Hang(Duration) /* then reset */,
//!              Truncate(usize), Replace(Vec<u8>), ClockSkew(time::Duration) }     // Fault::respond(503, "SlowDown", "…"), Fault::access_denied()
//! enum Stage { BeforeActing, AfterActing }
//! impl Hold { fn wait(&self, Duration) -> anyhow::Result<Recorded>; fn release(self) /* let it act, even if its client is gone */; fn discard(self) /* it never happened */ }
//! impl Objects { fn put(&self, bucket, key, impl Into<Bytes>) -> String /* ETag */; fn get(&self, bucket, key) -> Option<Bytes>; fn list(&self, bucket, prefix) -> Vec<String>; fn delete(&self, bucket, key) }
//! impl Records { fn seed(&self, zone_id, RecordSet); fn all(&self, zone_id) -> Vec<RecordSet>; fn find(&self, zone_id, name, kind) -> Vec<RecordSet>; fn remove(..); fn history(&self) -> Vec<Batch>;
//!                fn set_insync_delay(&self, Duration); fn set_rate(&self, Option<u32>); fn prior_request_not_complete(&self, times: u32); fn health_checks(&self) -> Vec<HealthCheck>; fn set_healthy(&self, id, bool) }
//! struct RecordSet { name: String /* "www.example.test." */, kind: String, set_identifier: Option<String>, ttl: Option<u32>, values: Vec<String>, health_check: Option<String>, multivalue: bool,
//!                    failover: Option<String>, weight: Option<u8>, alias: Option<Alias> }    // RecordSet::simple("www.example.test", "A", 60, ["203.0.113.7"])
//! ```
