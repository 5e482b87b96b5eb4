//! The policies in launch-template/ as moto enforces them: what each role does in the bucket, that
//! each action is needed for it, and what neither may do. moto knows no condition keys of a
//! request; the region's enforcement has those.

#[path = "../../../../tests/policies/documents.rs"]
mod documents;

use documents::{Site, actions, ci_policy, instance_policy, without};
use serde_json::Value;

use super::moto::Enforcing;
use super::store::cloud;
use super::*;
use crate::cloud::Error;

type CallOutcome = Result<(), Error>;

/// Of the instance: every kind of key that it reads, writes, deletes and lists.
async fn as_instance(s3: &S3) -> Vec<CallOutcome> {
    let mut done = Vec::new();
    for key in [
        "certs/le/example.com/pending.json",
        "locks/certificate-le.json",
        "locks/release-v1.json",
    ] {
        done.extend([
            wrote(s3, key).await,
            read(s3, key).await,
            deleted(s3, key).await,
        ]);
    }
    for key in [
        "site.toml",
        "releases/current.json",
        "releases/candidate.json",
        "packages/v1.zip",
    ] {
        done.push(read(s3, key).await);
    }
    for key in [
        "certs/le/account.json",
        "instances/i-1.json",
        "logs/i-1/boot.log",
    ] {
        done.push(wrote(s3, key).await);
    }
    done.push(read(s3, "instances/i-1.json").await);
    done.extend([
        uploaded(s3, "cache/x.tar.zst").await,
        read(s3, "cache/x.tar.zst").await,
        abandoned(s3, "cache/y.tar.zst").await,
    ]);
    done.extend([listed(s3, "certs/").await, listed(s3, "packages/").await]);
    done
}

/// Of CI: a deploy, from the lease to the oldest package's end.
async fn as_ci(s3: &S3) -> Vec<CallOutcome> {
    let mut done = Vec::new();
    for key in ["locks/deploy.json", "releases/candidate.json"] {
        done.extend([
            wrote(s3, key).await,
            read(s3, key).await,
            deleted(s3, key).await,
        ]);
    }
    for key in [
        "deploys/20261103T101500Z-1a2b3c.json",
        "releases/current.json",
    ] {
        done.extend([wrote(s3, key).await, read(s3, key).await]);
    }
    for key in ["site.toml", "instances/i-1.json", "logs/i-1/boot.log"] {
        done.push(read(s3, key).await);
    }
    done.extend([
        uploaded(s3, "packages/v2.zip").await,
        abandoned(s3, "packages/v2.zip").await,
        deleted(s3, "packages/v1.zip").await,
    ]);
    done.extend([
        listed(s3, "packages/").await,
        listed(s3, "deploys/").await,
        listed(s3, "instances/").await,
    ]);
    done
}

#[tokio::test]
async fn the_policies_suffice_and_each_of_their_actions_is_needed() {
    for (policy, role) in [
        (instance_policy(Site::default()), PolicyRole::Instance),
        (ci_policy(Site::default()), PolicyRole::Ci),
    ] {
        let policy = unconditional(policy);
        let left_out: Vec<_> = actions(&policy)
            .into_iter()
            .filter(|(_, action)| action.starts_with("s3:"))
            .collect();
        let ablated = left_out
            .iter()
            .map(|(statement, action)| without(&policy, statement, action));
        let moto = Enforcing::start(
            &[policy.clone()]
                .into_iter()
                .chain(ablated)
                .collect::<Vec<_>>(),
        );
        assert_eq!(
            denied(role, &as_user(&moto, 0).await).await,
            Vec::<Error>::new()
        );
        for (user, (statement, action)) in (1..).zip(&left_out) {
            let errors = denied(role, &as_user(&moto, user).await).await;
            let named = |error: &Error| error.to_string().contains(action.as_str());
            assert!(
                errors.iter().any(named),
                "nothing misses {action} of {statement}: {errors:?}"
            );
        }
    }
}

#[tokio::test]
async fn neither_role_can_do_what_is_the_others() {
    let policies = [instance_policy(Site::default()), ci_policy(Site::default())];
    let moto = Enforcing::start(&policies.map(unconditional));
    let (instance, ci) = (as_user(&moto, 0).await, as_user(&moto, 1).await);
    for key in [
        "packages/v1.zip",
        "releases/current.json",
        "releases/candidate.json",
        "deploys/x.json",
        "locks/deploy.json",
        "site.toml",
    ] {
        assert_denied(wrote(&instance, key).await, key);
        assert_denied(deleted(&instance, key).await, key);
    }
    for key in [
        "certs/le/example.com/0000000001.json",
        "certs/le/account.json",
        "locks/certificate-le.json",
    ] {
        assert_denied(read(&ci, key).await, key);
        assert_denied(wrote(&ci, key).await, key);
        assert_denied(deleted(&ci, key).await, key);
    }
}

#[derive(Clone, Copy)]
enum PolicyRole {
    Instance,
    Ci,
}

async fn denied(role: PolicyRole, s3: &S3) -> Vec<Error> {
    let outcomes = match role {
        PolicyRole::Instance => as_instance(s3).await,
        PolicyRole::Ci => as_ci(s3).await,
    };
    outcomes
        .into_iter()
        .filter_map(Result::err)
        .inspect(|error| assert!(error.is_access_denied(), "{error}"))
        .collect()
}

fn assert_denied(outcome: CallOutcome, key: &str) {
    assert!(
        outcome.is_err_and(|error| error.is_access_denied()),
        "{key} is open"
    );
}

fn unconditional(mut policy: Value) -> Value {
    for statement in policy["Statement"]
        .as_array_mut()
        .expect("a policy has statements")
    {
        statement
            .as_object_mut()
            .expect("a statement is an object")
            .remove("Condition");
    }
    policy
}

async fn as_user(moto: &Enforcing, user: usize) -> S3 {
    cloud(moto.address(), &moto.keys[user])
        .await
        .s3("example-site")
}

async fn read(s3: &S3, key: &str) -> CallOutcome {
    s3.get(key, 16 << 20).await.map(drop)
}

async fn wrote(s3: &S3, key: &str) -> CallOutcome {
    s3.put(key, b"{}".to_vec(), Condition::Always, None)
        .await
        .map(drop)
}

async fn deleted(s3: &S3, key: &str) -> CallOutcome {
    s3.delete(key, Condition::Always).await.map(drop)
}

async fn listed(s3: &S3, prefix: &str) -> CallOutcome {
    s3.list(prefix, 10).await.map(drop)
}

/// In two parts.
async fn uploaded(s3: &S3, key: &str) -> CallOutcome {
    s3.upload(key, pattern((5 << 20) + 1).as_slice()).await
}

async fn abandoned(s3: &S3, key: &str) -> CallOutcome {
    let started = s3
        .client
        .create_multipart_upload()
        .bucket(s3.bucket())
        .key(key)
        .send()
        .await;
    let Ok(started) = started else { return Ok(()) };
    let aborted = s3
        .client
        .abort_multipart_upload()
        .bucket(s3.bucket())
        .key(key)
        .set_upload_id(started.upload_id)
        .send()
        .await;
    let doing = s3
        .doing("giving up the upload of", key)
        .needing("s3:AbortMultipartUpload", s3.arn(key));
    aborted.map(drop).map_err(|error| doing.failed(&error))
}
