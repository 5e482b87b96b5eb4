# Run by mmdebstrap once the packages are in; $1 is the tree. An image as a cloud would offer it: nothing of any site, nothing of any instance.
set -eu

# The one source of user data is EC2's. The network is there before systemd is, as a host of nspawn sets it up, and the address is the host name.
cat >"$1/etc/cloud/cloud.cfg.d/90_region.cfg" <<'END'
datasource_list: [ Ec2 ]
datasource:
  Ec2: { strict_id: false, timeout: 5, max_wait: 30 }
network: { config: disabled }
preserve_hostname: true
manage_etc_hosts: false
apt_preserve_sources_list: true
locale: false
END

# What the journal hears stands on the console, too: it is what is left of an instance that died.
mkdir -p "$1/etc/systemd/journald.conf.d"
cat >"$1/etc/systemd/journald.conf.d/console.conf" <<'END'
[Journal]
ForwardToConsole=yes
MaxLevelConsole=info
END

chroot "$1" systemctl --quiet disable nginx.service
chroot "$1" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer systemd-pstore.service getty@tty1.service console-getty.service

# Empty, not absent: absent would make it a first boot, at which systemd applies its presets and enables nginx again.
: >"$1/etc/machine-id"
rm -rf "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/var/lib/cloud "$1"/var/log/*.log "$1"/var/log/apt
