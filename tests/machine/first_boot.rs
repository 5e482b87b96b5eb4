//! From a blank machine to the site, by user data alone.

use region::Service;

use crate::cloud::{APP, Cloud, PROGRAM, SITE};
use crate::common::{DOMAIN, World};
use crate::computer::Computer;

const TOKEN: &str = "hunter2-very-secret-value";
/// Every place where others than root could read; the patterns are in a file, so as to be in no
/// argument themselves.
const FIND_SECRETS: &str = "cd /root
    journalctl --no-pager --boot --all --output=export | grep -aFf secrets | sed 's/^/journal: /'
    systemctl show spotboot spotboot-app spotboot-web | grep -Ff secrets | sed 's/^/systemctl show: /'
    cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -aFf secrets | sed 's/^/arguments: /'
    find /var/lib/spotboot /etc -type f -perm /077 -exec grep -alFf secrets {} + | sed 's/^/file: /'
    find /run -type f -perm /077 -not -path '/run/log/*' -exec grep -alFf secrets {} + | sed 's/^/file: /'
    true";
/// Asked in the moment when `install` returned; the status code is its own.
const WITNESS: &str = "
{
    echo \"install $?\"
    echo \"unit $(systemctl is-active spotboot)\"
    echo \"name $(getent ahostsv4 example.test | head -n 1 | cut -d ' ' -f 1)\"
    curl -sk -o /dev/null -w 'site %{http_code} over %{http_version}\\n' https://example.test/
} >/var/tmp/witness
";

#[test]
fn user_data_makes_a_blank_machine_the_site_and_leaves_no_secret_about() {
    let Some(cloud) = Cloud::with_small_app() else {
        return;
    };
    // The region counts what its vault keeps among its secrets.
    cloud
        .world
        .region
        .vault()
        .put_parameter("/example/key", "hunter2-of-a-parameter $`\"\\");
    let secret = "secrets = { KEY = \"ssm:/example/key\" }\n";
    let site = cloud.site(
        &format!("{APP}env = {{ API_TOKEN = \"{TOKEN}\" }}\n{secret}"),
        "",
    );
    let user_data = format!(
        "{}set +e\n{PROGRAM} install --config {SITE}{WITNESS}",
        cloud.stub(&site)
    );
    let computer = cloud.boot(cloud.instance("i-00000000000000a01"), &user_data);

    let address = computer.machine.address().to_string();
    let witness = computer.run("cat /var/tmp/witness");
    let expected = format!("install 0\nunit active\nname {address}\nsite 200 over 2");
    assert_eq!(
        witness,
        expected,
        "{}\n{}",
        computer.run("cat /var/log/cloud-init-output.log"),
        computer.log()
    );

    assert_that_it_serves(&computer, &address);
    let env = computer.visitor().get("/env").body;
    assert!(env.contains("KEY=hunter2-of-a-parameter $`\"\\\n"), "{env}");
    assert_that_the_log_has_a_line_a_step(&computer);
    assert_that_no_secret_lies_about(&cloud.world, &computer);
    assert_eq!(cloud.world.region.count(Service::Acme, "newOrder"), 1);
}

fn assert_that_it_serves(computer: &Computer, address: &str) {
    let visitor = computer.visitor();
    assert_eq!(visitor.resolve(DOMAIN, "A"), [address]);
    let page = visitor.get("/hello");
    assert_eq!((page.status, page.version.as_str()), (200, "2"), "{page:?}");
    assert!(
        page.body.contains("release v1 path /hello"),
        "{}",
        page.body
    );
    let plain = visitor
        .curl(&format!("http://{DOMAIN}:80/a"), &[])
        .expect("port 80 answers");
    assert!(
        [301, 308].contains(&plain.status)
            && plain.headers.contains(&format!("https://{DOMAIN}/a")),
        "{plain:?}"
    );
    assert_eq!(
        visitor.get("/assets/style.css").body.trim(),
        "body { color: teal }"
    );

    let report = computer.report();
    assert_eq!(
        (report["phase"].as_str(), report["public_ipv4"].as_str()),
        (Some("serving"), Some(address))
    );
    assert_eq!(computer.property("spotboot", "Type"), "notify");
    assert_eq!(computer.run("systemctl is-enabled spotboot"), "enabled");
    assert!(
        computer
            .property("spotboot", "StatusText")
            .contains("serving https://example.test/ release v1")
    );
    assert_eq!(computer.run("systemctl --failed --plain --no-legend"), "");
}

fn assert_that_the_log_has_a_line_a_step(computer: &Computer) {
    let log = computer.log();
    for step in [
        "identity",
        "accounts",
        "release",
        "zones",
        "certificate",
        "app",
        "web",
        "proof",
        "cutover",
        "in sync",
    ] {
        let lines = log.lines().filter(|line| {
            line.contains(&format!("{step} done")) || line.contains(&format!("step=\"{step}\""))
        });
        assert!(lines.count() >= 1, "no line of the step {step:?}:\n{log}");
    }
    assert!(
        log.contains("serving https://example.test/ release v1"),
        "{log}"
    );
}

/// The region's credentials and tokens, the private keys in the bucket, and the app's own variable.
fn secrets(world: &World) -> String {
    let mut secrets = vec![TOKEN.to_owned(), "PRIVATE KEY".to_owned()];
    secrets.extend(world.region.secrets());
    for key in world.list("certs/") {
        let text = String::from_utf8(world.get(&key).expect("it is listed")).expect("it is JSON");
        // Each line of a PEM, also within JSON.
        secrets.extend(
            text.split(['"', '\\'])
                .map(|part| part.trim_start_matches('n'))
                .filter(|part| is_key_material(&text, part))
                .map(str::to_owned),
        );
    }
    secrets.join("\n") + "\n"
}

/// Base64 between the first line of a private key and its last; what stands in a certificate is for
/// everybody.
fn is_key_material(text: &str, part: &str) -> bool {
    let end = text.find("END PRIVATE KEY");
    let start = text.find("BEGIN PRIVATE KEY");
    let at = text.find(part);
    part.len() > 40
        && matches!((start, at, end), (Some(start), Some(at), Some(end)) if start < at && at < end)
}

fn assert_that_no_secret_lies_about(world: &World, computer: &Computer) {
    let secrets = secrets(world);
    assert!(secrets.lines().count() >= 8, "too few secrets to look for");
    computer.run(&format!(
        "umask 077; cat >/root/secrets <<'END'\n{secrets}END\n"
    ));
    assert_eq!(
        computer
            .run("stat --format=%a:%U /var/lib/spotboot/tls/*/key.pem /etc/spotboot/spotboot.env"),
        "600:root\n600:root"
    );
    assert_eq!(computer.run(FIND_SECRETS), "");

    // The search finds what it is made for.
    let leaks = [
        "/var/lib/spotboot/leak",
        "/etc/systemd/leak",
        "/run/spotboot/leak",
    ]
    .map(|path| format!("echo {TOKEN} >{path}\n"));
    computer.run(&format!(
        "{}systemd-run --quiet --unit=leak sh -c 'echo {TOKEN}; sleep 60; true'\nsleep 1",
        leaks.concat()
    ));
    let found = computer.run(FIND_SECRETS);
    for kind in [
        "journal: ",
        "arguments: ",
        "file: /var/lib/",
        "file: /etc/",
        "file: /run/",
    ] {
        assert!(
            found.lines().any(|line| line.starts_with(kind)),
            "nothing is found in {kind}\n{found}"
        );
    }
}
