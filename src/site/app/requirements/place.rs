//! Where the files of a requirement come from: an index, a URL or this machine.

use std::borrow::Cow;

/// Where a requirement's files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum RequirementPlace {
    /// From the index, by a name.
    Index,
    /// The content may change, unless a hash or a commit pins it.
    Url { pinned: bool },
    /// On this machine.
    Path(String),
}

/// The place of a requirement without its options.
pub(in super::super) fn place(requirement: &str, hashed: bool) -> RequirementPlace {
    let separator = if is_url(requirement) { "; " } else { ";" };
    let bare = requirement
        .split_once(separator)
        .map_or(requirement, |(bare, _)| bare)
        .trim();
    if is_url(bare) {
        return place_of_url(bare, hashed);
    }
    // PEP 508's `name[extra] @ URL`; uv takes a path there too.
    if let Some((name, target)) = bare.split_once('@')
        && is_name(without_extras(name.trim()))
    {
        let target = target.trim();
        return if is_url(target) {
            place_of_url(target, hashed)
        } else {
            RequirementPlace::Path(without_extras(target).to_owned())
        };
    }
    let path = without_extras(bare);
    let is_path = path.contains('/') || path.starts_with('.') || is_archive(path);
    if is_path {
        RequirementPlace::Path(path.to_owned())
    } else {
        RequirementPlace::Index
    }
}

/// The place of an editable requirement: a folder needs no `/` there.
pub(in super::super) fn place_of_editable(requirement: &str) -> RequirementPlace {
    match place(requirement, false) {
        RequirementPlace::Index => RequirementPlace::Path(without_extras(requirement).to_owned()),
        place => place,
    }
}

fn place_of_url(url: &str, hashed: bool) -> RequirementPlace {
    if let Some(path) = file_path(url) {
        return RequirementPlace::Path(path);
    }
    let (address, fragment) = url.split_once('#').unwrap_or((url, ""));
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_hash = |part: &str| {
        let known = ["sha224", "sha256", "sha384", "sha512", "sha1", "md5"];
        part.split_once('=')
            .is_some_and(|(name, value)| known.contains(&name) && is_hex(value))
    };
    let is_commit = |revision: &str| [40, 64].contains(&revision.len()) && is_hex(revision);
    let pinned = if is_versioned(url) {
        address
            .rsplit_once('@')
            .is_some_and(|(_, revision)| is_commit(revision))
    } else {
        hashed || fragment.split('&').any(is_hash)
    };
    RequirementPlace::Url { pinned }
}

/// The path of a `file:` URL; None: the URL is of another kind.
pub(in super::super) fn file_path(url: &str) -> Option<String> {
    let rest = scheme(url)
        .filter(|scheme| scheme == "file")
        .map(|_| &url["file:".len()..])?;
    let rest = rest.split(['#', '?']).next().unwrap_or_default();
    if !rest.starts_with('/') {
        return Some(without_extras(rest).to_owned());
    }
    let path = url::Url::parse(&format!("file:{rest}"))
        .ok()
        .and_then(|url| url.to_file_path().ok());
    Some(path.map_or_else(
        || rest.to_owned(),
        |path| without_extras(&path.to_string_lossy()).to_owned(),
    ))
}

fn scheme(text: &str) -> Option<Cow<'_, str>> {
    let (scheme, _) = text.split_once(':')?;
    Some(if scheme.bytes().all(|byte| byte.is_ascii_lowercase()) {
        scheme.into()
    } else {
        scheme.to_ascii_lowercase().into()
    })
}

/// What pip takes for a URL, and not for a name or a path.
pub(in super::super) fn is_url(text: &str) -> bool {
    scheme(text).is_some_and(|scheme| ["http", "https", "file", "ftp"].contains(&&*scheme))
        || is_versioned(text)
}

/// `git+https://…`
fn is_versioned(text: &str) -> bool {
    let systems = ["git", "hg", "svn", "bzr"];
    scheme(text).is_some_and(|scheme| {
        scheme
            .split_once('+')
            .is_some_and(|(system, _)| systems.contains(&system))
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// `./lib[dev]` → `./lib`
fn without_extras(text: &str) -> &str {
    let extras = text
        .strip_suffix(']')
        .and_then(|rest| rest.rsplit_once('['))
        .filter(|(bare, _)| !bare.is_empty());
    extras.map_or(text, |(bare, _)| bare).trim_end()
}

/// A file that an installer unpacks, by its name.
pub(in super::super) fn is_archive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = [
        ".whl",
        ".zip",
        ".tar",
        ".tar.gz",
        ".tgz",
        ".tar.bz2",
        ".tbz",
        ".tar.xz",
        ".txz",
        ".tlz",
        ".tar.lz",
        ".tar.lzma",
    ];
    ends.iter().any(|end| name.ends_with(end))
}

/// A URL of another machine. What an index holds is known by its URL only.
pub(in super::super) fn is_remote(place: &str) -> bool {
    is_url(place) && file_path(place).is_none()
}

/// Another password opens the same index, and a digest must not help to guess one.
pub(in super::super) fn without_passwords(value: &str) -> String {
    let bare = |word: &str| match word.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            format!(
                "{scheme}://{}{path}",
                authority
                    .rsplit_once('@')
                    .map_or(authority, |(_, host)| host)
            )
        }
        None => word.to_owned(),
    };
    value.split(' ').map(bare).collect::<Vec<_>>().join(" ")
}
