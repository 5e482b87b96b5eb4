# In an instance's own namespaces: its link to the network's bridge.
ip link set lo up
ip link add ens5 address "$MAC" type veth peer name "$LINK" netns "$OWNER"
nsenter --target "$OWNER" --net ip link set "$LINK" master "$BRIDGE" up
ip address add "$ADDRESS/24" dev ens5
ip link set ens5 up
ip route add default via "$GATEWAY"
ip route add 169.254.169.254/32 dev ens5
# Public addresses that come and go are translated on EC2; here each instance takes whichever is led to it for its own.
ip route add local "$PUBLIC" dev lo
