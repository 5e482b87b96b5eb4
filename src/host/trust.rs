//! Which certificate authorities this machine trusts, for programs that have to be told.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where distributions keep the list in one file: Debian and Ubuntu, Amazon Linux and Fedora.
const LISTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/// The file of all authorities, PEM: that of `SSL_CERT_FILE`, as for OpenSSL, else the
/// distribution's. `None`: there is none.
pub fn authorities() -> Option<PathBuf> {
    choose(std::env::var_os("SSL_CERT_FILE"), |path| path.is_file())
}

fn choose(told: Option<OsString>, is_there: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let told = told.filter(|path| !path.is_empty()).map(PathBuf::from);
    let lists = LISTS.map(PathBuf::from).into_iter();
    told.into_iter().chain(lists).find(|path| is_there(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_openssl_is_told_comes_before_what_the_distribution_has() {
        let chosen = |told: Option<&str>, there: &[&str]| {
            let is_there = |path: &Path| there.iter().any(|known| Path::new(known) == path);
            let chosen = choose(told.map(OsString::from), is_there)?;
            Some(chosen.to_string_lossy().into_owned())
        };
        assert_eq!(
            chosen(Some("/x.pem"), &["/x.pem", LISTS[0]]).as_deref(),
            Some("/x.pem")
        );
        assert_eq!(
            chosen(Some("/gone.pem"), &[LISTS[1]]).as_deref(),
            Some(LISTS[1])
        );
        assert_eq!(chosen(Some(""), &[LISTS[0]]).as_deref(), Some(LISTS[0]));
        assert_eq!(chosen(None, &[]), None);
    }
}
