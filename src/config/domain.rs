//! A host name or a wildcard, as certificates and records name them.

use std::fmt;

/// A lower-case DNS name without a final dot; the first label may be `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

impl Domain {
    /// Parses a name by the host name rules of RFC 1123 section 2.1 and the length limits of RFC
    /// 1035 section 2.3.4.
    ///
    /// # Errors
    /// What is wrong with the name, as the end of a sentence about it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let host = name.strip_prefix("*.").unwrap_or(&name);
        if name.len() > 253 {
            return Err("is longer than 253 characters".into());
        }
        if !host.contains('.') {
            return Err("needs at least two labels, as in example.com".into());
        }
        for label in host.split('.') {
            if label.is_empty() || label.len() > 63 {
                return Err("has a label that is empty or longer than 63 characters".into());
            }
            if !label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                || label.starts_with('-')
                || label.ends_with('-')
            {
                return Err(format!(
                    "has the label {label:?}; only letters, digits and inner hyphens may stand there"
                ));
            }
        }
        Ok(Self(name))
    }

    /// The name as records list it: lower case, a wildcard with its `*.`, no final dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the first label is `*`.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// The name whose `_acme-challenge` validates this one (RFC 8555 section 7.1.3): a wildcard's
    /// own base.
    pub fn base(&self) -> &str {
        self.0.strip_prefix("*.").unwrap_or(&self.0)
    }

    /// Whether the name stands for this host: a wildcard does for one label (RFC 6125 section
    /// 6.4.3).
    pub fn covers(&self, host: &str) -> bool {
        match self.0.strip_prefix("*.") {
            Some(base) => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(base)),
            None => host.eq_ignore_ascii_case(&self.0),
        }
    }

    /// A concrete host name that this name covers, for a TLS handshake.
    pub fn example_host(&self) -> String {
        if self.is_wildcard() {
            format!("spotboot-proof.{}", self.base())
        } else {
            self.0.clone()
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowered_and_lose_the_final_dot() {
        assert_eq!(
            Domain::parse("WWW.Example.com.").unwrap().as_str(),
            "www.example.com"
        );
    }

    #[test]
    fn a_wildcard_is_validated_at_its_base() {
        let wildcard = Domain::parse("*.example.com").unwrap();
        assert!(wildcard.is_wildcard());
        assert_eq!(wildcard.base(), "example.com");
        assert_eq!(wildcard.example_host(), "spotboot-proof.example.com");
    }

    #[test]
    fn a_name_covers_itself_and_a_wildcard_one_label_below_its_base() {
        let covers = |name: &str, host: &str| Domain::parse(name).unwrap().covers(host);
        assert!(covers("example.com", "Example.com") && !covers("example.com", "www.example.com"));
        assert!(covers("*.example.com", "www.example.com"));
        assert!(
            !covers("*.example.com", "example.com") && !covers("*.example.com", "a.b.example.com")
        );
    }

    #[test]
    fn what_is_no_host_name_is_refused() {
        for bad in [
            "",
            "localhost",
            "a..b",
            "-a.example.com",
            "a_b.example.com",
            "*.*.example.com",
            "ex ample.com",
            "www.*.com",
        ] {
            assert!(Domain::parse(bad).is_err(), "{bad:?} was taken");
        }
    }
}
