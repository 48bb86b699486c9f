# Runs as root inside the guest: bus, controllers, then the scenario. See guest.sh.
export PYTHONPATH=/payload/core:/payload:/opt/packages
cp /payload/main.conf /tmp/main.conf
dbus-daemon --system --fork
cd /payload || exit 1
python3 -m tests.bluez.air 2 >/tmp/air.log 2>&1 &
for _ in $(seq 6000); do
    [ -e /sys/class/bluetooth/hci1 ] && break
    sleep 0.1
done
echo "BlueZ $(bluetoothctl --version), $(tail -1 /tmp/main.conf), kernel $(uname -r)"
PATIENCE=$(cat /payload/patience) python3 -m tests.bluez.scenario "$(cat /payload/megabytes)"
status=$?
[ $status = 0 ] || tail -n 60 /tmp/engines.log /tmp/air.log /tmp/bluetoothd.log
exit $status
