//! The proof of possession that goes with a refresh of `aws login`:
//! <https://datatracker.ietf.org/doc/html/rfc9449>.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use time::OffsetDateTime;

/// How far a proof's time may be from ours.
const SLACK: i64 = 300;

/// The public point (65 bytes) of the key that signed a proof for a POST to `url`; none where the
/// proof does not hold.
pub(super) fn proven(proof: &str, url: &str) -> Option<Vec<u8>> {
    let (message, signature) = proof.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let (header, claims) = (part(header)?, part(claims)?);
    let said = [
        &header["typ"],
        &header["alg"],
        &header["jwk"]["crv"],
        &claims["htm"],
        &claims["htu"],
    ];
    if said.map(|value| value.as_str().unwrap_or_default())
        != ["dpop+jwt", "ES256", "P-256", "POST", url]
    {
        return None;
    }
    if (claims["iat"].as_i64()? - OffsetDateTime::now_utc().unix_timestamp()).abs() > SLACK {
        return None;
    }
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(header["jwk"][name].as_str()?).ok();
    let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)
        .verify(message.as_bytes(), &signature)
        .ok()?;
    Some(point)
}

fn part(text: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// A P-256 key in the form of RFC 5915, which stands in an octet string of PKCS #8's.
pub(super) fn sec1_pem(pkcs8: &[u8]) -> String {
    const OCTETS_AND_SEQUENCE: [u8; 4] = [0x04, 0x6d, 0x30, 0x6b];
    let at = pkcs8
        .windows(4)
        .position(|bytes| bytes == OCTETS_AND_SEQUENCE)
        .expect("it is a P-256 key with its public point");
    let text = STANDARD.encode(&pkcs8[at + 2..]);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use rcgen::KeyPair;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    use serde_json::json;

    use super::*;

    const URL: &str = "http://127.0.0.1:1/v1/token";

    fn proof(pair: &KeyPair, method: &str, url: &str, at: i64) -> String {
        let raw = pair.public_key_raw();
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(&raw[1..33]), "y": URL_SAFE_NO_PAD.encode(&raw[33..]) });
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk }).to_string();
        let claims = json!({ "jti": "1", "htm": method, "htu": url, "iat": at }).to_string();
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let random = ring::rand::SystemRandom::new();
        let signer = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &pair.serialize_der(),
            &random,
        )
        .unwrap();
        format!(
            "{message}.{}",
            URL_SAFE_NO_PAD.encode(signer.sign(&random, message.as_bytes()).unwrap())
        )
    }

    #[test]
    fn a_proof_holds_for_its_request_alone_and_for_a_while() {
        let (pair, now) = (
            KeyPair::generate().unwrap(),
            OffsetDateTime::now_utc().unix_timestamp(),
        );
        let good = proof(&pair, "POST", URL, now);
        assert_eq!(proven(&good, URL).as_deref(), Some(pair.public_key_raw()));
        assert_eq!(proven(&good, "http://127.0.0.1:2/v1/token"), None);
        assert_eq!(proven(&proof(&pair, "GET", URL, now), URL), None);
        assert_eq!(
            proven(&proof(&pair, "POST", URL, now - 2 * SLACK), URL),
            None
        );
        assert_eq!(proven(&good[..good.len() - 4], URL), None);
    }

    #[test]
    fn the_private_key_is_in_the_form_that_the_cache_has() {
        let pem = sec1_pem(&KeyPair::generate().unwrap().serialize_der());
        assert!(
            pem.starts_with("-----BEGIN EC PRIVATE KEY-----\nMGsCAQEE"),
            "{pem}"
        );
    }
}
