# Then its disk, and systemd, as often as that reboots. FOLDER/disk is a mount that only this machine sees.
mount -t tmpfs -o "size=${DISK_MIB}m,mode=755" machine "$FOLDER/disk"
mkdir "$FOLDER/disk/upper" "$FOLDER/disk/work" "$FOLDER/disk/root"
chmod 755 "$FOLDER/disk/upper"
mount -t overlay -o "lowerdir=$IMAGE,upperdir=$FOLDER/disk/upper,workdir=$FOLDER/disk/work" machine "$FOLDER/disk/root"
cp -a "$FOLDER/files/." "$FOLDER/disk/root/"
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=700 nspawn /run/systemd/nspawn

# The unified hierarchy, which BPF filters need, also where the host has the old ones; "network" has /sys as a folder of parts, to which
# /sys/hypervisor can be added.
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network

# 133 is how nspawn asks its keeper to start the machine again, after a reboot (systemd-nspawn(1), --keep-unit).
while :; do
    code=0
    systemd-nspawn "$@" || code=$?
    [ "$code" = 133 ] || exit "$code"
done
