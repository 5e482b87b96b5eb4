//! Brings a path and a query into the one spelling that stands for all equal ones. It knows
//! nothing of hosts.

use super::Folded;

/// Parameters by which a visit is tracked, beside all that begin with `utm_`. They change nothing on
/// the page.
pub const TRACKING: [&str; 27] = [
    "_ga",
    "_gl",
    "_hsenc",
    "_hsmi",
    "dclid",
    "fbclid",
    "gbraid",
    "gclid",
    "gclsrc",
    "igshid",
    "li_fat_id",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "msclkid",
    "oly_anon_id",
    "oly_enc_id",
    "rb_clickid",
    "s_cid",
    "srsltid",
    "ttclid",
    "twclid",
    "vero_conv",
    "vero_id",
    "wbraid",
    "wickedid",
    "yclid",
];

/// Parameters that hold a session: the crawl has one session, by its cookies.
const SESSION: [&str; 9] = [
    "aspsessionid",
    "cfid",
    "cftoken",
    "jsessionid",
    "oscsid",
    "phpsessid",
    "session_id",
    "sessionid",
    "sid",
];

/// Folds a path: escapes, and session parameters in it (`/shop;jsessionid=1A2B`).
pub(super) fn path(path: &str, folded: &mut Folded) -> String {
    let escaped = escapes(path);
    if !escaped.contains(';') {
        return escaped;
    }
    let segments = escaped.split('/').map(|segment| {
        let mut parts = segment.split(';');
        let mut kept = parts.next().unwrap_or_default().to_string();
        for part in parts {
            let name = part.split('=').next().unwrap_or_default();
            if part.contains('=') && is_session(name) {
                drop_parameter(name, folded);
            } else {
                kept.push(';');
                kept.push_str(part);
            }
        }
        kept
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Folds a query: escapes, the order of the names, and the parameters of tracking and sessions.
/// Values of one name keep their order, since `tag=a&tag=b` may say which comes first. None where
/// nothing is left.
pub(super) fn query(query: &str, folded: &mut Folded) -> Option<String> {
    let written = written(query, folded)?;
    let mut parameters: Vec<&str> = written.split('&').collect();
    parameters.sort_by_key(|parameter| name_of(parameter));
    let sorted = parameters.join("&");
    folded.reordered |= sorted != written;
    Some(sorted)
}

/// The query with its order kept: folded in all else.
pub(super) fn written(query: &str, folded: &mut Folded) -> Option<String> {
    let escaped = escapes(query);
    let mut kept = Vec::new();
    for parameter in escaped.split('&').filter(|parameter| !parameter.is_empty()) {
        let name = name_of(parameter);
        if is_tracking(name) || is_session(name) {
            drop_parameter(name, folded);
        } else {
            kept.push(parameter);
        }
    }
    (!kept.is_empty()).then(|| kept.join("&"))
}

fn name_of(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or_default()
}

fn is_tracking(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("utm_") || TRACKING.contains(&name.as_str())
}

/// Classic ASP puts random letters behind the name: `ASPSESSIONIDQQRTBADC`.
fn is_session(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("aspsessionid") || SESSION.contains(&name.as_str())
}

fn drop_parameter(name: &str, folded: &mut Folded) {
    let name = name.to_ascii_lowercase();
    if !folded.dropped.contains(&name) {
        folded.dropped.push(name);
        folded.dropped.sort();
    }
}

/// Folds the escapes as RFC 3986, section 6.2.2, has it: hexadecimal digits in upper case, and
/// unreserved characters bare. What a URI may not hold bare, though the URL standard lets it stand
/// (`|`, `[`), becomes an escape, as a server decodes it either way. All else means what its author
/// wrote: `%2F` is no `/`, and `+` is no `%20`.
pub(crate) fn escapes(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = bytes
            .get(at + 1..at + 3)
            .filter(|digits| bytes[at] == b'%' && digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) if is_unreserved(byte) => out.push(byte.into()),
            Some(byte) => push_escape(&mut out, byte),
            None if is_bare(bytes[at]) => out.push(bytes[at].into()),
            None => push_escape(&mut out, bytes[at]),
        }
        at += if escaped.is_some() { 3 } else { 1 };
    }
    out
}

fn push_escape(out: &mut String, byte: u8) {
    out.push('%');
    out.push_str(&hex::encode_upper([byte]));
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// What a path or a query may hold as it is (RFC 3986, sections 3.3 and 3.4), and a `%` that begins
/// no escape, which nobody may guess about.
fn is_bare(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@/?%".contains(&byte)
}
