# Takes a network of machines down once its owner is gone: stdin is a pipe that ends with the owner, however that ends; stdout is the claim on the
# network's number, held until nothing of it is left. Also run, with nothing on stdin, on what an earlier keeper could not finish.
# From the environment: CONTROL_GROUPS (control groups), BRIDGE, FOLDER.
trap '' INT TERM HUP
read -r _ || :

for group in $CONTROL_GROUPS; do
    [ ! -e "$group/cgroup.kill" ] || echo 1 >"$group/cgroup.kill"
done
for port in /sys/class/net/"$BRIDGE"/brif/*; do
    [ ! -e "$port" ] || ip link delete "${port##*/}" 2>/dev/null || :
done
[ ! -e "/sys/class/net/$BRIDGE" ] || ip link delete "$BRIDGE"

# A group can be removed when its last process is gone, not when that has been told to.
tries=0
for group in $CONTROL_GROUPS; do
    while [ -e "$group" ] && [ "$tries" -lt 200 ]; do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
        tries=$((tries + 1))
        sleep 0.05
    done
done
rm -rf "$FOLDER"
rmdir "${FOLDER%/*}" 2>/dev/null || :
