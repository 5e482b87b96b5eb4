//! Reads header values.

use http::HeaderValue;

/// The text of a header: UTF-8 where the bytes are that, or else Latin-1, which is what HTTP was
/// written for.
pub fn text_of(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_string(),
        Err(_) => value
            .as_bytes()
            .iter()
            .map(|byte| char::from(*byte))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_utf_8_or_latin_1() {
        assert_eq!(
            text_of(&HeaderValue::from_bytes("/é".as_bytes()).unwrap()),
            "/é"
        );
        assert_eq!(text_of(&HeaderValue::from_bytes(b"/\xe9").unwrap()), "/é");
    }
}
