//! Which files a browser may keep for ever: files whose name tells their content, so that another
//! content has another name.
//!
//! A name does so where it holds the beginning of the content's MD5, SHA-1 or SHA-256 in
//! hexadecimal, or where a build tool's manifest lists it with a hash in it. A date or the number
//! of an order only looks like a hash. A page is never among them: people know its address.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::manifest::{self, extension, file_name};
use super::{Upstream, WebConfig};

/// Bound how long a start of the web server is held up; what lies beyond is kept for an hour.
const MOST_FILES: usize = 50_000;
const MOST_NAMES: usize = 10_000;
const MOST_BYTES_HASHED: u64 = 64 << 20;
/// nginx's hash table has buckets for names up to this length (`map_hash_bucket_size` in the
/// template).
const LONGEST_URL: usize = 1024;
/// Hexadecimal digits that can be a hash's beginning; fewer are found by chance.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=64;
const PAGES: [&str; 4] = ["html", "htm", "xhtml", "shtml"];
const BUFFER: usize = 64 << 10;

/// One file under the address that nginx serves it at.
#[derive(Debug)]
struct ServedFile {
    path: PathBuf,
    size: u64,
}

type ServedFiles = BTreeMap<String, ServedFile>;

/// The decoded paths of these files, sorted. The same files give the same list on every instance
/// and at every start.
pub(super) async fn paths(config: &WebConfig) -> Vec<String> {
    let places = places(config);
    // A thread that panicked has found nothing: all files are kept for an hour.
    tokio::task::spawn_blocking(move || find(&places))
        .await
        .unwrap_or_default()
}

/// Prefix and folder.
fn places(config: &WebConfig) -> Vec<(String, PathBuf)> {
    let root = match &config.upstream {
        Upstream::Files(root) => Some(("/".to_owned(), root.clone())),
        _ => None,
    };
    config
        .static_files
        .iter()
        .filter(|(prefix, _)| prefix.ends_with('/'))
        .cloned()
        .chain(root)
        .collect()
}

fn find(places: &[(String, PathBuf)]) -> Vec<String> {
    let mut walk = FolderWalk {
        places,
        files: ServedFiles::new(),
        manifests: Vec::new(),
    };
    for (prefix, folder) in places {
        // A link may lead to what changes while the site serves.
        if fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir()) {
            walk.folder(prefix, folder);
        }
    }
    let FolderWalk {
        files, manifests, ..
    } = walk;
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for (base, path) in &manifests {
        found.extend(manifest::hashed_names(path, base, |url| {
            files.get_key_value(url).map(|(url, _)| url.as_str())
        }));
    }
    found.extend(verified(&files, &found));
    unmistakable(&files, found)
        .take(MOST_NAMES)
        .map(str::to_owned)
        .collect()
}

struct FolderWalk<'a> {
    places: &'a [(String, PathBuf)],
    files: ServedFiles,
    /// Each with the address of the folder that its names are relative to.
    manifests: Vec<(String, PathBuf)>,
}

impl FolderWalk<'_> {
    /// Follows no links, and skips what cannot be read. In the order of the names, so that the
    /// bound cuts off the same everywhere.
    fn folder(&mut self, url: &str, folder: &Path) {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut entries: Vec<_> = entries
            .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry)))
            .collect();
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (name, entry) in entries {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let below = format!("{url}{name}");
            if manifest::is_one(&name) && metadata.is_file() {
                self.manifests.push((url.to_owned(), entry.path()));
            }
            if name == manifest::VITE && metadata.is_dir() {
                self.manifests
                    .push((url.to_owned(), entry.path().join("manifest.json")));
            }
            let served = !name.starts_with('.') && self.files.len() < MOST_FILES;
            if served && metadata.is_dir() && !self.is_elsewhere(&format!("{below}/")) {
                self.folder(&format!("{below}/"), &entry.path());
            } else if served && metadata.is_file() {
                self.files.insert(
                    below,
                    ServedFile {
                        path: entry.path(),
                        size: metadata.len(),
                    },
                );
            }
        }
    }

    /// nginx takes the place with the longest prefix.
    fn is_elsewhere(&self, url: &str) -> bool {
        self.places.iter().any(|(prefix, _)| prefix == url)
    }
}

/// Smallest first, so that a few large files do not use up what may be hashed.
fn verified<'f>(files: &'f ServedFiles, known: &BTreeSet<&str>) -> Vec<&'f str> {
    let candidate = |(url, served): (&'f String, &'f ServedFile)| {
        let hashes = hashes(url);
        let wanted = !hashes.is_empty() && !is_page(url) && !known.contains(url.as_str());
        wanted.then_some((served.size, url.as_str(), &served.path, hashes))
    };
    let mut candidates: Vec<_> = files.iter().filter_map(candidate).collect();
    candidates.sort_unstable_by_key(|&(size, url, ..)| (size, url));
    let mut left = MOST_BYTES_HASHED;
    let mut found = Vec::new();
    for (size, url, path, hashes) in candidates {
        let Some(rest) = left.checked_sub(size) else {
            break;
        };
        left = rest;
        // A file that cannot be read is not served either.
        if holds(path, size, &hashes).unwrap_or(false) {
            found.push(url);
        }
    }
    found
}

/// The parts of a file's name that may be a hash's beginning, in lower case.
fn hashes(url: &str) -> Vec<String> {
    let name = file_name(url);
    let parts = name.split(|c: char| !c.is_ascii_alphanumeric());
    let hexadecimal =
        |part: &&str| DIGITS.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit());
    parts
        .filter(hexadecimal)
        .map(str::to_ascii_lowercase)
        .collect()
}

fn holds(path: &Path, size: u64, hashes: &[String]) -> io::Result<bool> {
    let (mut md5, mut sha1, mut sha256) = (Md5::new(), Sha1::new(), Sha256::new());
    let mut content = File::open(path)?.take(size);
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = match content.read(&mut buffer)? {
            0 => break,
            read => &buffer[..read],
        };
        md5.update(read);
        sha1.update(read);
        sha256.update(read);
    }
    let digests = [
        hex::encode(md5.finalize()),
        hex::encode(sha1.finalize()),
        hex::encode(sha256.finalize()),
    ];
    Ok(hashes.iter().any(|hash| {
        digests
            .iter()
            .any(|digest| digest.starts_with(hash.as_str()))
    }))
}

/// nginx compares the names in a map without regard to case, and takes no name of any length: what
/// it could mistake for another goes.
fn unmistakable<'f>(
    files: &'f ServedFiles,
    found: BTreeSet<&'f str>,
) -> impl Iterator<Item = &'f str> {
    let mut spellings: HashMap<String, usize> = HashMap::new();
    for url in files.keys() {
        *spellings.entry(url.to_ascii_lowercase()).or_default() += 1;
    }
    let plain = |url: &str| url.len() <= LONGEST_URL && !url.chars().any(char::is_control);
    found
        .into_iter()
        .filter(move |url| plain(url) && !is_page(url) && spellings[&url.to_ascii_lowercase()] == 1)
}

fn is_page(url: &str) -> bool {
    extension(file_name(url)).is_some_and(|extension| {
        PAGES
            .iter()
            .any(|page| extension.eq_ignore_ascii_case(page))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        find(&[("/".into(), folder.path().to_owned())])
    }

    fn md5(content: &str) -> String {
        hex::encode(Md5::digest(content))
    }

    #[test]
    fn a_part_of_a_name_that_may_be_a_hash_stands_between_other_signs() {
        assert_eq!(hashes("/a.0123abcd/b-0123ABCD.min.css"), ["0123abcd"]);
        assert_eq!(
            hashes("/deadbeef_20240501~0123456789.js"),
            ["deadbeef", "20240501", "0123456789"]
        );
        for none in [
            "/a.0123abc.css",
            "/x0123abcd.css",
            "/a.0123abcdg.css",
            "/a.css",
        ] {
            assert!(hashes(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn links_dotfiles_and_pages_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("a.{}.css", &md5("x")[..8]);
        for place in ["real", ".hidden"] {
            fs::create_dir(folder.path().join(place)).unwrap();
            fs::write(folder.path().join(place).join(&name), "x").unwrap();
        }
        fs::write(
            folder.path().join(format!("a.{}.HTML", &md5("x")[..8])),
            "x",
        )
        .unwrap();
        std::os::unix::fs::symlink("real", folder.path().join("link")).unwrap();
        std::os::unix::fs::symlink(format!("real/{name}"), folder.path().join(&name)).unwrap();
        assert_eq!(
            find(&[("/s/".into(), folder.path().to_owned())]),
            [format!("/s/real/{name}")]
        );
        assert!(find(&[("/s/".into(), folder.path().join("link"))]).is_empty());
        assert!(find(&[("/s/".into(), folder.path().join("absent"))]).is_empty());
    }

    #[test]
    fn a_large_file_does_not_use_up_what_small_ones_may_be_hashed_with() {
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("a.00000000.bin");
        File::create(&large)
            .unwrap()
            .set_len(MOST_BYTES_HASHED)
            .unwrap();
        let name = format!("b.{}.css", &md5("x")[..8]);
        fs::write(folder.path().join(&name), "x").unwrap();
        assert_eq!(
            find(&[("/".into(), folder.path().to_owned())]),
            [format!("/{name}")]
        );
    }

    #[test]
    fn no_more_names_than_nginx_is_to_be_told() {
        let names: Vec<String> = (0..MOST_NAMES + 5)
            .map(|index| format!("{}/{index}.{}.css", index % 7, &md5("x")[..8]))
            .collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        assert_eq!(found(&files).len(), MOST_NAMES);
    }
}
