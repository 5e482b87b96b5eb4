//! The adapter against answers as the API references show them.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::cloud::stand_in::cloud_answering;

fn places(texts: &[&str]) -> Vec<SecretRef> {
    texts
        .iter()
        .map(|text| SecretRef::parse(text).unwrap())
        .collect()
}

fn names(body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).unwrap();
    body["Names"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

/// What SSM answers where all but these exist, each with its own name as its value.
fn parameters(body: &str, missing: &str) -> (u16, String) {
    let (missing, found): (Vec<_>, Vec<_>) =
        names(body).into_iter().partition(|name| name == missing);
    let found: Vec<Value> = found
        .iter()
        .map(|name| json!({"Name": name, "Type": "SecureString", "Value": format!("of {name}")}))
        .collect();
    (
        200,
        json!({"Parameters": found, "InvalidParameters": missing}).to_string(),
    )
}

fn refusal(code: &str, message: &str) -> (u16, String) {
    (400, json!({"__type": code, "message": message}).to_string())
}

#[tokio::test]
async fn parameters_are_read_in_batches_decrypted_and_one_that_is_missing_is_told() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let sizes = asked.clone();
    let cloud = cloud_answering(move |body| {
        assert!(body.contains("\"WithDecryption\":true"), "{body}");
        sizes.lock().unwrap().push(names(body).len());
        parameters(body, "/p/3")
    })
    .await;
    let wanted: Vec<SecretRef> = (0..12)
        .map(|number| SecretRef::Parameter(format!("/p/{number}")))
        .collect();
    let answers = cloud.secrets().read(&wanted).await;
    assert_eq!(answers.len(), 12);
    assert_eq!(answers[&wanted[11]].as_ref().unwrap().reveal(), "of /p/11");
    let error = answers[&wanted[3]].as_ref().unwrap_err().to_string();
    assert!(
        error.starts_with(
            "reading the parameter /p/3: there is no such parameter in eu-test-1; create it"
        ),
        "{error}"
    );
    let mut sizes = asked.lock().unwrap().clone();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 10]);
}

#[tokio::test]
async fn of_a_batch_that_is_denied_the_one_that_is_not_allowed_is_named() {
    let cloud = cloud_answering(|body| match names(body).iter().any(|name| name == "/b") {
        true => refusal(
            "AccessDeniedException",
            "User: u is not authorized to perform: ssm:GetParameters",
        ),
        false => parameters(body, ""),
    })
    .await;
    let wanted = places(&["ssm:/a", "ssm:/b", "ssm:/c"]);
    let answers = cloud.secrets().read(&wanted).await;
    assert!(
        answers[&wanted[0]].is_ok() && answers[&wanted[2]].is_ok(),
        "{answers:?}"
    );
    let error = answers[&wanted[1]].as_ref().unwrap_err().to_string();
    assert!(
        error.ends_with("; allow ssm:GetParameters on arn:aws:ssm:eu-test-1:*:parameter/b"),
        "{error}"
    );
}

#[tokio::test]
async fn a_key_that_may_not_be_used_is_told_from_a_parameter_that_may_not_be_read() {
    for message in [
        "The ciphertext refers to a customer master key that does not exist",
        "Access to KMS is not allowed",
    ] {
        let cloud = cloud_answering(|_| refusal("AccessDeniedException", message)).await;
        let wanted = places(&["ssm:/a", "secretsmanager:a"]);
        let answers = cloud.secrets().read(&wanted).await;
        for (place, service) in wanted.iter().zip(["ssm", "secretsmanager"]) {
            let error = answers[place].as_ref().unwrap_err().to_string();
            assert!(
                error.contains(&format!("allow kms:Decrypt on its customer key, for use through {service}.eu-test-1.amazonaws.com")),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_secret_is_read_once_for_all_of_its_values() {
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let cloud = cloud_answering(move |body| {
        assert!(body.contains("\"SecretId\":\"site/db\""), "{body}");
        *count.lock().unwrap() += 1;
        (
            200,
            json!({"Name": "site/db", "SecretString": r#"{"user": "u", "password": "p"}"#})
                .to_string(),
        )
    })
    .await;
    let wanted = places(&[
        "secretsmanager:site/db#user",
        "secretsmanager:site/db#password",
        "secretsmanager:site/db#host",
    ]);
    let answers = cloud.secrets().read(&wanted).await;
    assert_eq!(
        (answers[&wanted[0]].clone(), answers[&wanted[1]].clone()),
        (Ok(Secret::of("u")), Ok(Secret::of("p")))
    );
    let error = answers[&wanted[2]].as_ref().unwrap_err().to_string();
    assert_eq!(
        error,
        "reading the secret site/db: its JSON object has no value \"host\""
    );
    assert_eq!(*asked.lock().unwrap(), 1);
}

#[tokio::test]
async fn what_is_no_text_too_large_or_not_there_is_told() {
    let answer = async |status: u16, body: Value| {
        let cloud = cloud_answering(move |_| (status, body.to_string())).await;
        let wanted = places(&["secretsmanager:a"]);
        cloud.secrets().read(&wanted).await[&wanted[0]]
            .as_ref()
            .unwrap_err()
            .to_string()
    };
    assert!(
        answer(200, json!({"SecretBinary": "aGVsbG8="}))
            .await
            .contains("it holds bytes")
    );
    assert!(
        answer(200, json!({"SecretString": "x".repeat(LARGEST + 1)}))
            .await
            .ends_with("its value is larger than 64 KiB")
    );
    let error = answer(
        400,
        json!({"__type": "ResourceNotFoundException", "Message": "no"}),
    )
    .await;
    assert!(
        error.starts_with("reading the secret a: there is no such secret in eu-test-1 (ResourceNotFoundException); create it"),
        "{error}"
    );
    let error = answer(
        400,
        json!({"__type": "AccessDeniedException", "Message": "no"}),
    )
    .await;
    assert!(error.ends_with("allow secretsmanager:GetSecretValue on arn:aws:secretsmanager:eu-test-1:*:secret:a-??????; a secret that does not exist is denied too"), "{error}");
}

#[test]
fn a_secret_never_prints() {
    let answers = BTreeMap::from([(
        SecretRef::Parameter("a".into()),
        Ok::<_, Error>(Secret::of("hunter2")),
    )]);
    assert!(!format!("{answers:?} {answers:#?}").contains("hunter2"));
}
