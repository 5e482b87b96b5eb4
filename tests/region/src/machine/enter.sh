# Keeps systemd-nspawn or a program ("$@") in new mount and network namespaces, both of which go with it. From the environment: CONTROL_GROUPS (control groups to
# join), OWNER (a process in the host's network), and what is named below.
set -eu
for group in $CONTROL_GROUPS; do
    echo $$ >"$group/cgroup.procs"
done
exec unshare --mount --net sh -eu -c "$INSIDE" spotboot-machine "$@"
