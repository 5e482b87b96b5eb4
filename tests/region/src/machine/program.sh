# Then the program ("$@") in place of this shell: names are resolved as in a machine, all else is the host's.
mount --bind "$FOLDER/resolv.conf" /etc/resolv.conf
cd "$WORK"
unset INSIDE CONTROL_GROUPS OWNER LINK BRIDGE GATEWAY ADDRESS MAC PUBLIC FOLDER WORK
exec "$@"
