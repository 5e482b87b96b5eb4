//! A first boot beside apt's own timers: the real apt finds the lock of its lists held, and a
//! package of `[host]` is not on the image.

use crate::cloud::{APP, Cloud, PROGRAM, SITE};

/// A machine has no way to a mirror, so that it makes its own, of one package. apt's timers are on,
/// as on an image that nobody has changed.
const MIRROR: &str = "
mkdir -p /opt/mirror/package/DEBIAN
cd /opt/mirror
printf 'Package: spotboot-sample\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody <nobody@example.test>\\nDescription: nothing\\n' >package/DEBIAN/control
dpkg-deb --build package sample.deb
{
    cat package/DEBIAN/control
    printf 'Filename: ./sample.deb\\nSize: %s\\nSHA256: %s\\n' \"$(stat -c %s sample.deb)\" \"$(sha256sum <sample.deb | cut -d ' ' -f 1)\"
} >Packages
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/opt/mirror ./' >/etc/apt/sources.list
echo 'APT::Periodic::Update-Package-Lists \"1\";' >/etc/apt/apt.conf.d/99timers
systemctl unmask apt-daily.timer apt-daily-upgrade.timer
systemctl start apt-daily.timer apt-daily-upgrade.timer
";
/// Another run of apt, that has the lock of the lists until spotboot's log says that it waits.
const HOLD: &str = "
mkdir -p /var/lib/apt/lists
cat >/opt/hold.py <<'END'
import fcntl, os, time
lock = open('/var/lib/apt/lists/lock', 'w')
fcntl.lockf(lock, fcntl.LOCK_EX)
open('/run/held', 'w').close()
end = time.time() + 120
while time.time() < end and os.system(\"journalctl --unit spotboot | grep -q 'waiting for another run'\"):
    time.sleep(1)
open('/run/released', 'w').close()
END
python3 /opt/hold.py >/dev/null 2>&1 &
until [ -e /run/held ]; do sleep 0.1; done
";

#[test]
fn a_first_boot_outwaits_another_run_of_apt_and_installs_what_is_missing() {
    let Some(cloud) = Cloud::with_small_app() else {
        return;
    };
    let site = cloud.site(APP, "[host]\npackages = [\"nginx\", \"spotboot-sample\"]\n");
    let user_data = format!(
        "{}{MIRROR}{HOLD}{PROGRAM} install --config {SITE}\n",
        cloud.stub(&site)
    );
    let computer = cloud.boot(cloud.instance("i-0000000000000ac01"), &user_data);
    let log = computer.log();
    assert!(
        log.contains("waiting for another run of the package tool to end")
            && log.contains("/var/lib/apt/lists/lock"),
        "{log}"
    );
    assert_eq!(computer.run("ls /run/released"), "/run/released");
    assert_eq!(
        computer.run("dpkg-query --show --showformat='${db:Status-Status}' spotboot-sample"),
        "installed"
    );
    assert_eq!(computer.report()["phase"], "serving");
    assert_eq!(computer.visitor().get("/").status, 200);
}
