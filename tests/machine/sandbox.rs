//! The app's unit as the app itself finds it.

use serde_json::{Value, json};

use crate::cloud::{APP, Cloud, PROGRAM, SITE};
use crate::common::Package;
use crate::common::eventually;
use crate::computer::Computer;

/// A mirror in reach of a machine: a folder with one package.
const MIRROR: &str = "
mkdir -p /srv/mirror/tool/DEBIAN && cd /srv/mirror
printf 'Package: site-tool\\nVersion: 1\\nArchitecture: all\\nMaintainer: me <me@example.test>\\nDescription: a tool\\n' >tool/DEBIAN/control
dpkg-deb --build tool site-tool.deb >/dev/null
{
    dpkg-deb --field site-tool.deb
    printf 'Filename: ./site-tool.deb\\nSize: %s\\nSHA256: %s\\n' \"$(stat --format=%s site-tool.deb)\" \"$(sha256sum site-tool.deb | cut -d ' ' -f 1)\"
} >Packages
rm -rf /etc/apt/sources.list.d/* && echo 'deb [trusted=yes] file:/srv/mirror ./' >/etc/apt/sources.list
";

/// Everything that means something to a unit, a shell or a template.
const AWKWARD: &str = "a \"quoted\" $HOME `id` \\ %n {{ x }}";

fn probe(computer: &Computer) -> Value {
    let page = computer.visitor().get("/probe");
    assert_eq!(page.status, 200, "{}\n{}", page.body, computer.log());
    serde_json::from_str(&page.body).expect("the probe answers in JSON")
}

#[test]
fn the_app_is_kept_in_its_sandbox_and_away_from_the_instances_credentials() {
    let Some(cloud) = Cloud::empty() else { return };
    cloud.world.publish(
        "v1",
        &Package::small_app().file("probe.py", include_str!("probe.py")),
    );
    let site = |app: &str| {
        cloud.site(
            &format!("{APP}env = {{ AWKWARD = {AWKWARD:?} }}\n{app}"),
            "[host]\npackages = [\"nginx\", \"site-tool\"]\n",
        )
    };
    cloud.world.put("config/site.toml", site(""));
    let install = format!("{PROGRAM} install --config s3://example-site/config/site.toml\n");
    let computer = cloud.boot(
        cloud.instance("i-00000000000000b01"),
        &(cloud.stub(&site("")) + &format!("rm {SITE}\n") + MIRROR + &install),
    );

    assert_eq!(
        computer.run("dpkg-query --show --showformat='${db:Status-Status}' site-tool"),
        "installed"
    );
    // So that a packet to the metadata service's other address could leave.
    computer.run("ip address add fd00:ec2::1/64 dev ens5 nodad");
    let seen = probe(&computer);
    assert_eq!(seen["awkward"], AWKWARD);
    assert_account_and_rights(&computer, &seen);
    assert_files(&computer, &seen);
    assert_alone_with_its_account(&computer);
    assert_eq!(
        seen["datagrams"],
        json!(["EPERM", "EPERM"]),
        "the metadata service is in reach"
    );
    assert!(
        seen["metadata"]
            .as_str()
            .is_some_and(|answer| answer.contains("timed out")),
        "{seen}"
    );
    let token = "curl -s -o /dev/null -w '%{http_code}' --max-time 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token";
    assert_eq!(computer.run(token), "200", "root may ask");

    let before = computer.servers();
    cloud
        .world
        .put("config/site.toml", site("instance_credentials = true\n"));
    computer.run("systemctl restart spotboot");
    let seen = probe(&computer);
    assert_eq!(
        (&seen["metadata"], &seen["datagrams"]),
        (&json!("done"), &json!(["done", "done"])),
        "the site grants it"
    );
    eventually("the app before goes", || computer.servers().0 != before.0);
    assert_eq!(computer.servers().1, before.1, "the app alone is replaced");
}

fn assert_account_and_rights(computer: &Computer, seen: &Value) {
    let number = |line: &str| computer.run(line).parse::<u64>().expect("a number");
    assert_eq!(seen["uid"], number("id -u spotboot"));
    assert_eq!(seen["groups"], json!([number("id -g spotboot")]));
    assert_eq!(seen["no_new_privileges"], json!(["1"]));
    assert_eq!(
        seen["seccomp"],
        json!(["2"]),
        "system calls are not filtered"
    );
    assert_eq!(
        seen["capabilities"],
        json!(["0000000000000000", "0000000000000000"])
    );
    assert_eq!(seen["given away"], "EPERM");
    for unit in ["spotboot-app", "spotboot-web"] {
        assert_eq!(computer.property(unit, "ProtectSystem"), "strict");
        assert!(
            computer
                .property(unit, "IPAddressDeny")
                .contains("169.254.169.254"),
            "{unit} may ask for credentials"
        );
    }
    let users = computer.run("ps -C nginx -o euser= | sort -u");
    let users: Vec<&str> = users.lines().map(str::trim).collect();
    assert!(
        users.contains(&"root") && users.iter().any(|user| user.starts_with("spotboot")),
        "nginx runs as {users:?}"
    );
}

fn assert_files(computer: &Computer, seen: &Value) {
    let written = seen["written"].as_object().expect("a table");
    let own = [
        "/var/lib/spotboot/data/probe",
        "/run/spotboot/app/probe",
        "/tmp/probe",
    ];
    for (path, how) in written {
        assert_eq!(
            how == "done",
            own.contains(&path.as_str()),
            "writing {path}: {how}"
        );
    }
    assert_eq!(written["/etc/probe"], "EROFS");
    assert!(
        !computer.try_run("test -e /tmp/probe").success(),
        "the app shares /tmp with others"
    );
    let read = seen["read"].as_object().expect("a table");
    assert!(
        read.len() == 4 && read.values().all(|how| how != "done"),
        "{read:?}"
    );
}

/// A process of the same account, as a build of the next release is: neither sees into the other.
fn assert_alone_with_its_account(computer: &Computer) {
    let reads = |pid: u32, part: &str| {
        let line = format!(
            "setpriv --reuid=spotboot --regid=spotboot --clear-groups head -c 1000 /proc/{pid}/{part}"
        );
        computer.try_run(&line).success()
    };
    computer.run("systemd-run --quiet --unit=neighbour --uid=spotboot --gid=spotboot --setenv=SECRET=hunter2 sleep 3600");
    let neighbour = computer.pid("neighbour");
    computer.run(&format!("echo {neighbour} >/var/lib/spotboot/data/neighbour && chmod 644 /var/lib/spotboot/data/neighbour"));
    assert!(
        reads(neighbour, "environ") && reads(neighbour, "root/etc/hostname"),
        "the account may read its own processes"
    );
    let seen = probe(computer);
    let reached = seen["neighbour"].as_object().expect("a table");
    assert!(
        reached.len() == 3 && reached.values().all(|how| how != "done"),
        "the app sees into another process: {reached:?}"
    );
    let (app, _) = computer.servers();
    for part in ["environ", "root/etc/hostname", "maps"] {
        assert!(
            !reads(app, part),
            "another process of the account reads the app's {part}"
        );
    }
    computer.run("systemctl stop neighbour && rm /var/lib/spotboot/data/neighbour");
}
