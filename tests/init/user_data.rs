//! User data that stays small, and that gets its binary by HTTPS. From a bucket it is shown on
//! machines.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use sha2::{Digest, Sha256};

use crate::desk::{Desk, HASH, SITE};

fn site(bucket: &str, prefix: &str) -> String {
    format!(
        "[site]\nname = \"example\"\ndomains = [\"example.com\"]\nbucket = \"{bucket}\"\nprefix = \"{prefix}\"\nregion = \"ap-southeast-2\"\n\
         [dns]\nhosted_zone_id = \"Z0123\"\n[app]\nkind = \"static\"\n"
    )
}

#[test]
fn the_longest_bucket_there_can_be_still_fits() {
    let desk = Desk::new();
    std::fs::write(
        desk.path("site.toml"),
        site(
            "q7w3-e9r5t1y8u2i4o6p0-a3s7d1f9g5h2j8k4l6-z0x3c7v1b9n5m2-q8w4e6r",
            "",
        ),
    )
    .unwrap();
    desk.made(&[
        "--sha256",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "--binary",
        "s3://q7w3-e9r5t1y8u2i4o6p0-a3s7d1f9g5h2j8k4l6-z0x3c7v1b9n5m2-q8w4e6r/bin/spotboot-{arch}",
    ]);
    let bytes = std::fs::read(desk.path("spotboot-init/user-data")).unwrap();
    assert!(bytes.len() <= 1024, "{}", bytes.len());
    let unpacked = Command::new("gzip")
        .args(["-dc", "spotboot-init/user-data"])
        .current_dir(desk.path(""))
        .output()
        .expect("gzip runs");
    assert_eq!(
        String::from_utf8_lossy(&unpacked.stdout),
        desk.read("spotboot-init/user-data.py")
    );
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_shorten() {
    let desk = Desk::new();
    let prefix: String = (0..40).map(|n| format!("{:x}/", n * n * 7919)).collect();
    std::fs::write(desk.path("site.toml"), site("example-site", &prefix)).unwrap();
    let (code, said) = desk.init(&[]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("too many: shorten --binary, [site] bucket or [site] prefix"),
        "{said}"
    );
}

#[test]
fn from_an_https_address_it_needs_no_credentials_and_goes_out_as_it_is() {
    let desk = Desk::new();
    desk.made(
        &[
            SITE,
            &[
                "--arch",
                "x86_64",
                "--sha256",
                HASH,
                "--binary",
                "https://downloads.example.com/1.0/spotboot-{arch}",
            ],
        ]
        .concat(),
    );
    let text = desk.read("spotboot-init/user-data");
    assert!(
        text.starts_with("#!/usr/bin/python3\n")
            && text.contains("https://downloads.example.com/1.0/spotboot-x86_64"),
        "{text}"
    );
    assert!(
        !text.contains("credentials") && text.contains(HASH),
        "{text}"
    );
    assert!(
        !desk
            .read("spotboot-init/instance-policy.json")
            .contains("bin/"),
        "the role may read a binary that nobody fetches"
    );
}

#[test]
fn a_binary_that_the_role_may_not_read_is_refused() {
    for address in [
        "s3://other-bucket/spotboot",
        "http://downloads.example.com/spotboot",
        "https://",
        "https://a.example/\"+x",
    ] {
        let desk = Desk::new();
        let (code, said) = desk.init(&[SITE, &["--sha256", HASH, "--binary", address]].concat());
        assert!(code == 2 && said.contains("--binary "), "{code} {said}");
    }
}

/// Runs the user data as root with an empty /usr/local/bin of its own; the exit code and what it
/// says.
const ALONE: &str = "mount -t tmpfs none /usr/local/bin && cd / && \"$0/spotboot-init/user-data\"; code=$?; ls /usr/local/bin; exit $code";
const PROGRAM: &str = "#!/bin/sh\necho \"program $*\"\n";

#[test]
fn by_https_the_right_binary_is_installed_and_started_and_no_other() {
    if !nix::unistd::geteuid().is_root() {
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: user data by HTTPS installs into /usr/local/bin, which needs root"
        );
        return;
    }
    let desk = Desk::new();
    let (mut server, port) = serve(&desk);
    let hash: String = Sha256::digest(PROGRAM)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let address = format!("https://localhost:{port}/spotboot-{{arch}}");
    for (sha256, ends) in [
        (HASH, (1, "spotboot: wrong SHA-256")),
        (
            &hash,
            (
                0,
                "program install --config s3://example-site/site.toml\nspotboot",
            ),
        ),
    ] {
        desk.made(&[SITE, &["--force", "--binary", &address, "--sha256", sha256]].concat());
        std::fs::set_permissions(
            desk.path("spotboot-init/user-data"),
            std::fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        let mut alone = Command::new("unshare");
        alone
            .args(["--mount", "sh", "-c", ALONE])
            .arg(desk.path(""))
            .env("SSL_CERT_FILE", desk.path("cert.pem"));
        let output = alone.output().expect("unshare runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(ends.0) && said.starts_with(ends.1),
            "{said}"
        );
        assert_eq!(said.ends_with("\nspotboot\n"), ends.0 == 0, "{said}");
    }
    drop(server.stdin.take());
    server.wait().expect("the server ends with its input");
}

fn serve(desk: &Desk) -> (Child, u16) {
    std::fs::create_dir(desk.path("served")).unwrap();
    std::fs::write(
        desk.path("served")
            .join(format!("spotboot-{}", std::env::consts::ARCH)),
        PROGRAM,
    )
    .unwrap();
    let subject = [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
    ];
    let make = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ];
    let made = Command::new("openssl")
        .args(make)
        .args(subject)
        .current_dir(desk.path(""))
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
    let mut server = Command::new("/usr/bin/python3");
    server
        .args(["-c", include_str!("https.py"), "cert.pem", "key.pem"])
        .current_dir(desk.path(""));
    let mut server = server
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python3 runs");
    let mut port = String::new();
    BufReader::new(server.stdout.as_mut().expect("it is piped"))
        .read_line(&mut port)
        .expect("it tells its port");
    (server, port.trim().parse().expect("a port"))
}
