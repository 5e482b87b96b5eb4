//! `[tls]`.

use std::path::PathBuf;

use super::super::reader::Table;
use super::super::{Directory, Eab, HmacKey, Tls, values};
use super::checked;

pub(super) fn read(table: Table<'_>, prefix: &str) -> Option<Tls> {
    let contact = table
        .strings("contact")
        .into_iter()
        .filter_map(|at| checked(&table, "contact", Some(at), values::contact_url))
        .collect();
    let directories = read_directories(&table, prefix);
    let profile = table.string("profile").map(|at| at.value);
    let directory_ca = table
        .string("directory_ca")
        .map(|at| PathBuf::from(at.value));
    let kms_key_id = table.string("kms_key_id").map(|at| at.value);
    table.finish();
    Some(Tls {
        contact,
        directories: directories?,
        profile,
        directory_ca,
        kms_key_id,
    })
}

fn read_directories(table: &Table<'_>, prefix: &str) -> Option<Vec<Directory>> {
    let listed = table.one_or_more("directory");
    let mut directories: Vec<Directory> = Vec::new();
    for at in &listed {
        match values::directory(&at.value) {
            Err(why) => table.reject("directory", at, format!("{:?} {why}", at.value)),
            Ok(directory) if directories.iter().any(|known| known.slug == directory.slug) => {
                table.reject("directory", at, format!("names {} twice", directory.slug));
            }
            Ok(directory) => directories.push(directory),
        }
    }
    let sound = directories.len() == listed.len();
    if directories.is_empty() && sound {
        directories.extend(values::directory("letsencrypt"));
    }
    for (name, binding) in table.tables("eab") {
        let eab = read_eab(&binding, prefix);
        match directories
            .iter_mut()
            .find(|directory| directory.slug == name)
        {
            Some(directory) => directory.eab = eab,
            None if sound => {
                let known: Vec<_> = directories
                    .iter()
                    .map(|directory| directory.slug.as_str())
                    .collect();
                binding.reject_table(format!(
                    "tls.eab.{name} is for no directory of this site; they are {}",
                    known.join(", ")
                ));
            }
            None => {}
        }
        binding.finish();
    }
    sound.then_some(directories)
}

fn read_eab(table: &Table<'_>, prefix: &str) -> Option<Eab> {
    let kid = checked(table, "kid", table.required("kid"), values::key_id);
    let hmac_key = table
        .required("hmac_key")
        .and_then(|at| match values::hmac_key(&at.value) {
            Ok(HmacKey::Object(key)) => Some(HmacKey::Object(format!("{prefix}{key}"))),
            Ok(place) => Some(place),
            Err(why) => {
                table.reject("hmac_key", &at, why);
                None
            }
        });
    Some(Eab {
        kid: kid?,
        hmac_key: hmac_key?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Site;
    use crate::config::parse::fixtures::{SMALLEST, problems};

    #[test]
    fn directories_are_one_or_several_each_with_its_binding() {
        let tls =
            "[tls]\ndirectory = [\"letsencrypt\", \"zerossl\", \"https://ca.example:9000/dir\"]\n";
        let eab = "[tls.eab.zerossl]\nkid = \"k1\"\nhmac_key = \"s3:certs/zerossl/eab.json\"\n";
        let site = Site::parse(
            "site.toml",
            &format!("{SMALLEST}{tls}{eab}").replace("bucket =", "prefix = \"a\"\nbucket ="),
        )
        .unwrap();
        let slugs: Vec<_> = site
            .tls
            .directories
            .iter()
            .map(|directory| directory.slug.as_str())
            .collect();
        assert_eq!(slugs, ["letsencrypt", "zerossl", "ca.example-9000"]);
        let bound = Eab {
            kid: "k1".into(),
            hmac_key: HmacKey::Object("a/certs/zerossl/eab.json".into()),
        };
        assert_eq!(
            site.tls
                .directories
                .into_iter()
                .map(|directory| directory.eab)
                .collect::<Vec<_>>(),
            [None, Some(bound), None]
        );
        let one = Site::parse(
            "site.toml",
            &format!("{SMALLEST}[tls]\ndirectory = \"google\"\n"),
        )
        .unwrap();
        assert_eq!(
            (one.tls.directories.len(), one.first_ca().slug.as_str()),
            (1, "google")
        );
    }

    #[test]
    fn a_binding_for_no_directory_and_a_key_in_the_open_are_refused_and_not_repeated() {
        let found = problems(&format!(
            "{SMALLEST}[tls.eab.zerossl]\nkid = \"k\"\nhmac_key = \"c2VjcmV0\"\nkeys = 1\n"
        ));
        for expected in [
            "tls.eab.zerossl is for no directory of this site",
            "tls.eab.zerossl.hmac_key names no secret's place",
            "keys is not a key",
        ] {
            assert!(found.contains(expected), "no {expected:?} in:\n{found}");
        }
        assert!(!found.contains("c2VjcmV0"), "{found}");
        assert!(
            problems(&format!(
                "{SMALLEST}[tls]\ndirectory = [\"google\", \"google\"]\n"
            ))
            .contains("names google twice")
        );
    }
}
