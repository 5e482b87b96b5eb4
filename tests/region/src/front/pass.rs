//! The way of one request through the front.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderValue;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

use super::body::{Answer, Truncated, full};
use super::fault::{Fault, Strike};
use super::hold::Stage;
use super::{Backend, Call, Hub, Recorded, Refusal, Service};
use crate::iam::Principal;
use crate::registry::{Caller, Machine};

const LARGEST_BODY: usize = 1 << 30;
const RECORDED_BODY: usize = 64 << 10;
const HTTP_DATE: &[FormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// The connection is to be reset.
#[derive(Debug, thiserror::Error)]
#[error("reset by a fault")]
pub(super) struct Cut;

/// Reads, records and answers one request. The acting runs as a task of its own: like on a real
/// network, a request that was sent takes effect even where its sender has died since.
pub(super) async fn pass<B: Backend>(
    hub: Arc<Hub>,
    backend: Arc<B>,
    (peer, opened): (SocketAddr, Instant),
    request: http::Request<Incoming>,
) -> Result<Answer, Cut> {
    let (at, arrived) = (OffsetDateTime::now_utc(), Instant::now());
    let number = hub.recorder.next_number();
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY)
        .collect()
        .await
        .map_err(|_| Cut)?
        .to_bytes();
    let call = Call {
        parts,
        body,
        peer,
        opened,
    };
    let signer = hub.registry.signer(&call);
    let mut record = Recorded {
        signer,
        ..describe(&*backend, &call, number, at)
    };
    let strikes = hub.faults.striking(&record);
    record.fault = name(&strikes);
    hub.recorder.arrived(record.clone());
    let acting = async move {
        let outcome = act(&hub, &*backend, call, &record, strikes).await;
        let status = outcome.as_ref().ok().map(|answer| answer.status().as_u16());
        hub.recorder.update(number, |request| {
            (request.status, request.took) = (status, Some(arrived.elapsed()))
        });
        outcome
    };
    tokio::spawn(acting).await.map_err(|_| Cut)?
}

fn describe<B: Backend>(backend: &B, call: &Call, number: u64, at: OffsetDateTime) -> Recorded {
    Recorded {
        number,
        at,
        service: B::SERVICE,
        operation: backend.operation(call),
        method: call.parts.method.to_string(),
        path: call.path_and_query().to_owned(),
        headers: headers(&call.parts.headers),
        body: Bytes::copy_from_slice(&call.body[..call.body.len().min(RECORDED_BODY)]),
        instance: backend.instance(call),
        signer: None,
        status: None,
        fault: None,
        denied: None,
        took: None,
    }
}

fn headers(headers: &http::HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect()
}

fn name(strikes: &[Strike]) -> Option<String> {
    let names: Vec<String> = strikes
        .iter()
        .map(|strike| match strike {
            Strike::Fault(fault) => fault.to_string(),
            Strike::Hold(_) => "hold".to_owned(),
        })
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

async fn act<B: Backend>(
    hub: &Hub,
    backend: &B,
    call: Call,
    record: &Recorded,
    strikes: Vec<Strike>,
) -> Result<Answer, Cut> {
    pause(hub.latency(B::SERVICE)).await;
    let way = Way::of(hub, B::SERVICE, &call);
    way.check()?;
    let skew = strikes.iter().map(skew).sum();
    for strike in &strikes {
        if let Some(refusal) = before(backend, &call, record, strike).await? {
            return Ok(dated(refusal, skew));
        }
    }
    let mut answer = match denial(hub, backend, &call) {
        Some(words) => {
            hub.recorder.update(record.number, |request| {
                request.denied = Some(words.clone())
            });
            backend.refuse(&call, &backend.denied(words))
        }
        None => backend.answer(call).await,
    };
    for strike in strikes {
        answer = after(answer, record, strike).await?;
    }
    // EC2 tells of an association before it takes effect.
    if B::SERVICE != Service::Ec2 {
        way.check()?;
    }
    Ok(dated(answer, skew))
}

/// The way between an instance and us, which goes with the public address that its connection was
/// made through.
struct Way {
    caller: Option<Arc<Machine>>,
    opened: Instant,
}

impl Way {
    fn of(hub: &Hub, service: Service, call: &Call) -> Way {
        // Metadata comes from the instance's own host.
        let caller = if service == Service::Imds {
            None
        } else {
            hub.registry.caller_machine(call)
        };
        Way {
            caller,
            opened: call.opened,
        }
    }

    fn check(&self) -> Result<(), Cut> {
        if self
            .caller
            .as_ref()
            .is_some_and(|machine| machine.is_cut_off(self.opened))
        {
            Err(Cut)
        } else {
            Ok(())
        }
    }
}

/// IAM's words, where a policy does not allow the call. Who has not signed is the service's to
/// judge.
fn denial<B: Backend>(hub: &Hub, backend: &B, call: &Call) -> Option<String> {
    let principal = match hub.registry.caller(call).ok()? {
        Caller::Ci => Principal::Ci,
        Caller::Instance(_) => Principal::Instances,
        Caller::Distribution => return None,
    };
    let denied = hub
        .guard
        .check(principal, &backend.permissions(call))
        .err()?;
    Some(denied.words(&hub.registry.arn_of(call)))
}

fn skew(strike: &Strike) -> time::Duration {
    if let Strike::Fault(Fault::ClockSkew(by)) = strike {
        *by
    } else {
        time::Duration::ZERO
    }
}

async fn before<B: Backend>(
    backend: &B,
    call: &Call,
    record: &Recorded,
    strike: &Strike,
) -> Result<Option<Answer>, Cut> {
    match strike {
        Strike::Hold(latch) if !latch.clone().pass(Stage::BeforeActing, record).await => {
            return Err(Cut);
        }
        Strike::Fault(Fault::Delay(time)) => pause(*time).await,
        Strike::Fault(Fault::Hang(time)) => {
            pause(*time).await;
            return Err(Cut);
        }
        Strike::Fault(Fault::Reset) => return Err(Cut),
        Strike::Fault(Fault::Throttle) => {
            return Ok(Some(backend.refuse(call, &backend.throttled())));
        }
        Strike::Fault(Fault::Respond {
            status,
            code,
            message,
            retry_after,
        }) => {
            let mut answer = backend.refuse(call, &Refusal::new(*status, code, message));
            if let Some(time) = retry_after {
                answer
                    .headers_mut()
                    .insert(http::header::RETRY_AFTER, HeaderValue::from(time.as_secs()));
            }
            return Ok(Some(answer));
        }
        _ => {}
    }
    Ok(None)
}

async fn after(answer: Answer, record: &Recorded, strike: Strike) -> Result<Answer, Cut> {
    match strike {
        Strike::Hold(latch) if !latch.clone().pass(Stage::AfterActing, record).await => Err(Cut),
        Strike::Fault(Fault::LoseAnswer) => Err(Cut),
        Strike::Fault(Fault::Truncate(left)) => {
            Ok(answer.map(|inner| Truncated::new(inner, left).boxed_unsync()))
        }
        Strike::Fault(Fault::Replace(body)) => Ok(replaced(answer, body)),
        _ => Ok(answer),
    }
}

fn replaced(answer: Answer, body: Vec<u8>) -> Answer {
    let (mut parts, _) = answer.into_parts();
    parts.headers.remove(http::header::CONTENT_LENGTH);
    Answer::from_parts(parts, full(body))
}

/// AWS answers always carry a Date, which clients take for the service's clock.
fn dated(mut answer: Answer, skew: time::Duration) -> Answer {
    let now = OffsetDateTime::now_utc() + skew;
    if let Some(value) = now
        .format(HTTP_DATE)
        .ok()
        .and_then(|text| HeaderValue::from_str(&text).ok())
    {
        answer.headers_mut().insert(http::header::DATE, value);
    }
    answer
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
