//! The name server, over UDP and TCP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use http::Request;
use region::{Options, RecordSet, Region};

use crate::client::{ZONE, region, runtime, send, signed_by_ci};

const PATIENCE: Duration = Duration::from_secs(30);

fn question(name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message.to_vec().unwrap()
}

fn udp(at: SocketAddr, name: &str, kind: RecordType) -> Message {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&question(name, kind), at).unwrap();
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    Message::from_vec(&buffer[..length]).unwrap()
}

fn tcp(at: SocketAddr, name: &str, kind: RecordType) -> Message {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let asked = question(name, kind);
    stream
        .write_all(&u16::try_from(asked.len()).unwrap().to_be_bytes())
        .unwrap();
    stream.write_all(&asked).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).unwrap();
    Message::from_vec(&answer).unwrap()
}

/// The IPv4 addresses of a name.
pub(crate) fn addresses(region: &Region, name: &str) -> Vec<String> {
    let answer = udp(region.dns(), &format!("{name}."), RecordType::A);
    let of_kind = answer
        .answers
        .iter()
        .filter(|record| record.record_type() == RecordType::A);
    of_kind.map(|record| record.data.to_string()).collect()
}

fn values(message: &Message) -> Vec<String> {
    message
        .answers
        .iter()
        .map(|record| record.data.to_string())
        .collect()
}

#[test]
fn udp_and_tcp_answer_alike() {
    let region = region();
    region
        .route53()
        .seed(
            ZONE,
            RecordSet::simple("www.example.test", "A", 60, ["203.0.113.7"]),
        )
        .unwrap();
    for message in [
        udp(region.dns(), "www.example.test.", RecordType::A),
        tcp(region.dns(), "www.example.test.", RecordType::A),
    ] {
        assert_eq!(values(&message), ["203.0.113.7"]);
        assert!(message.metadata.authoritative);
    }
    assert_eq!(
        udp(region.dns(), "no.example.test.", RecordType::A)
            .metadata
            .response_code,
        ResponseCode::NXDomain
    );
    assert_eq!(
        udp(region.dns(), "www.elsewhere.test.", RecordType::A)
            .metadata
            .response_code,
        ResponseCode::Refused
    );
}

#[test]
fn a_change_is_answered_only_once_it_is_in_sync() {
    let region = Region::start(Options {
        insync_delay: Duration::from_millis(400),
        ..Options::default()
    })
    .unwrap();
    let url = format!(
        "{}/2013-04-01/hostedzone/{ZONE}/rrset",
        region.env()["AWS_ENDPOINT_URL_ROUTE_53"]
    );
    let body = "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes><Change><Action>CREATE</Action>\
        <ResourceRecordSet><Name>www.example.test</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>203.0.113.7</Value></ResourceRecord>\
        </ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>";
    let submitted = Instant::now();
    let answer = runtime()
        .block_on(send(
            Request::post(url).header("authorization", signed_by_ci(&region)),
            body,
        ))
        .unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(values(&udp(region.dns(), "www.example.test.", RecordType::A)).is_empty());
    while values(&udp(region.dns(), "www.example.test.", RecordType::A)).is_empty() {
        assert!(submitted.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    assert!(submitted.elapsed() >= Duration::from_millis(400));
}

#[test]
fn an_unhealthy_primary_gives_way_to_the_secondary() {
    let region = region();
    let url = format!(
        "{}/2013-04-01/healthcheck",
        region.env()["AWS_ENDPOINT_URL_ROUTE_53"]
    );
    let body = "<CreateHealthCheckRequest><CallerReference>r</CallerReference><HealthCheckConfig><IPAddress>203.0.113.1</IPAddress><Type>TCP</Type>\
        <Port>443</Port></HealthCheckConfig></CreateHealthCheckRequest>";
    runtime()
        .block_on(send(
            Request::post(url).header("authorization", signed_by_ci(&region)),
            body,
        ))
        .unwrap();
    let check = region.route53().health_checks()[0].id.clone();
    let set = |value: &str| RecordSet::simple("www.example.test", "A", 60, [value]);
    region
        .route53()
        .seed(
            ZONE,
            set("203.0.113.1")
                .failover("PRIMARY", "p")
                .health_check(&check),
        )
        .unwrap();
    region
        .route53()
        .seed(ZONE, set("203.0.113.2").failover("SECONDARY", "s"))
        .unwrap();
    let answered = || values(&udp(region.dns(), "www.example.test.", RecordType::A));
    assert_eq!(answered(), ["203.0.113.1"]);
    region.route53().set_healthy(&check, false);
    assert_eq!(answered(), ["203.0.113.2"]);
}
