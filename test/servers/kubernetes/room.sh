# Furnishes the namespaces of a cluster: PAUSE NETWORK LOGS READY. Nothing of it is seen outside.
pause=$1 network=$2 logs=$3 ready=$4
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock
mkdir -p "$logs/var"
mount --bind "$logs/var" /var/log
mount --make-rshared /
ip link set lo up
# A veth pair stands in for a network card: dummy ones are not in every kernel.
ip link add node0 type veth peer name node1
ip link set node1 up
ip addr add "$network" dev node0
ip link set node0 up
ip route add default dev node0
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables || true
touch "$ready"
exec "$pause"
