//! Percent-encoding, of queries and of keys in paths.

/// Undoes percent-encoding, of a query or of a path at S3's REST endpoint.
pub(crate) fn decoded(text: &str) -> String {
    path_decoded(&text.replace('+', "%20"))
}

/// Encodes a key for a path: all but what RFC 3986, 2.3 calls unreserved, and the slashes.
pub(crate) fn encoded(key: &str) -> String {
    let mut encoded = String::new();
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// Undoes the percent-encoding of a path, in which a `+` stands for itself.
pub(crate) fn path_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_an_encoded_byte_stays() {
        assert_eq!(
            decoded("certs%2F%2A.example.test+x"),
            "certs/*.example.test x"
        );
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz"), "%zz");
    }

    #[test]
    fn a_key_is_itself_again_behind_a_path() {
        let key = "a//b+c d/é%2F?#~.html";
        assert_eq!(path_decoded(&encoded(key)), key);
        assert_eq!(path_decoded("a+b"), "a+b");
    }
}
