//! Starts a region to play with, says where everything is, and stays until it is interrupted.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "the rule is about the product; this says where everything is"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use region::{Instance, InstanceSpec, Options, Recorded, Region};
use tokio::signal::unix::{Signal, SignalKind, signal};

const LOOKS_EVERY: Duration = Duration::from_millis(200);

/// One AWS region on this machine: S3, Route 53, EC2, Auto Scaling, STS, IMDS, DNS and an ACME CA
/// (pebble).
///
/// It launches one instance, prints what a program needs to run as that instance (or as CI), and
/// serves until Ctrl-C, which leaves nothing behind.
#[derive(Parser)]
struct Arguments {
    /// The address on which every service listens
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,
    /// A public hosted zone, with its id behind `=` if that matters; may be repeated
    #[arg(
        long = "zone",
        value_name = "NAME[=ID]",
        default_value = "example.test=Z0EXAMPLE"
    )]
    zones: Vec<String>,
    /// A bucket; may be repeated
    #[arg(long = "bucket", value_name = "NAME", default_value = "example-site")]
    buckets: Vec<String>,
    /// The region's name
    #[arg(long, default_value = "ap-southeast-2")]
    region: String,
    /// The id of the instance
    #[arg(long, default_value = "i-0123456789abcdef0")]
    instance: String,
    /// The instance's public address; connections to any 127.x.y.z reach this machine
    #[arg(long, default_value = "127.0.0.1")]
    public_ipv4: Ipv4Addr,
    /// Round trip to every service, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// From a DNS change to its being in sync, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 200)]
    insync_delay: u64,
    /// The limits of the real services: Route 53's 5 requests a second, Let's Encrypt's 5
    /// certificates per set of names and week, and its 300 orders in three hours
    #[arg(long)]
    limits: bool,
    /// Print every request with its answer's status
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(&arguments))
}

async fn serve(arguments: &Arguments) -> Result<()> {
    // From here on a signal ends the region in order, however early it comes.
    let (interrupt, terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    let region = Region::start(options(arguments))?;
    let instance =
        region.launch(InstanceSpec::new(&arguments.instance).public_ipv4(arguments.public_ipv4))?;
    print(&region, &instance);
    stay(&region, arguments.verbose, interrupt, terminate).await;
    Ok(())
}

fn listen(kind: SignalKind) -> Result<Signal> {
    signal(kind).context("listening for signals")
}

fn options(arguments: &Arguments) -> Options {
    let zones =
        arguments
            .zones
            .iter()
            .enumerate()
            .map(|(index, zone)| match zone.split_once('=') {
                Some((name, id)) => (name.to_owned(), id.to_owned()),
                None => (zone.clone(), format!("Z{index}EXAMPLE")),
            });
    Options {
        bind: arguments.bind,
        zones: zones.collect(),
        buckets: arguments.buckets.clone(),
        region: arguments.region.clone(),
        latency: Duration::from_millis(arguments.latency),
        insync_delay: Duration::from_millis(arguments.insync_delay),
        route53_rate: arguments.limits.then_some(5),
        certificates_per_week: arguments.limits.then_some(5),
        orders_per_three_hours: arguments.limits.then_some(300),
        start_acme: true,
        ..Options::default()
    }
}

fn print(region: &Region, instance: &Instance) {
    println!("# The environment of the instance {}:", instance.id());
    exports(&instance.env());
    println!("\n# The environment of CI, in another shell:");
    exports(&region.env());
    println!("\n# For site.toml:");
    for (name, id) in &region.options().zones {
        println!("#   hosted_zone_id = \"{id}\"    ({name})");
    }
    for bucket in &region.options().buckets {
        println!("#   bucket         = \"{bucket}\"");
    }
    println!("#   directory      = \"{}\"", region.acme_directory());
    println!("#   directory_ca   = \"{}\"", region.acme_ca().display());
    let dns = region.dns();
    println!(
        "\n# The name server: dig @{} -p {} {}",
        dns.ip(),
        dns.port(),
        region
            .options()
            .zones
            .first()
            .map_or("example.test", |(name, _)| name)
    );
    println!("# Ctrl-C ends it and leaves nothing behind.");
}

fn exports(env: &std::collections::BTreeMap<String, String>) {
    env.iter()
        .for_each(|(name, value)| println!("export {name}={value}"));
}

async fn stay(region: &Region, verbose: bool, mut interrupt: Signal, mut terminate: Signal) {
    let mut printed = 0;
    loop {
        tokio::select! {
            _ = interrupt.recv() => return,
            _ = terminate.recv() => return,
            () = tokio::time::sleep(LOOKS_EVERY) => {}
        }
        if verbose {
            printed = print_new(&region.requests(), printed);
        }
    }
}

/// Prints the answered requests that follow the one with that number, and returns the last one's.
fn print_new(requests: &[Recorded], printed: u64) -> u64 {
    let new = requests
        .iter()
        .skip_while(|request| request.number <= printed)
        .take_while(|request| request.took.is_some());
    new.inspect(|request| eprintln!("{}", line(request)))
        .last()
        .map_or(printed, |request| request.number)
}

fn line(request: &Recorded) -> String {
    let who = request.instance.as_deref().unwrap_or("-");
    let status = request
        .status
        .map_or_else(|| "cut".to_owned(), |status| status.to_string());
    let took = request.took.unwrap_or_default().as_millis();
    let fault = request
        .fault
        .as_ref()
        .map(|fault| format!(" [{fault}]"))
        .unwrap_or_default();
    format!(
        "{} {} {} {} → {status} in {took} ms{fault}",
        request.service, who, request.operation, request.path
    )
}
