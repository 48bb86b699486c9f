#!/bin/bash
# A real bluetoothd in a guest: QEMU, Debian's kernel, controllers without a radio on /dev/vhci.
#   guest.sh build SUITE                  once for each of bookworm (BlueZ 5.66) and trixie (5.82)
#   guest.sh run SUITE CHANNELS MEGABYTES the scenario; ATT bearers 1 or 3, and how much traffic
# Root, on Debian. Works in .bluez beside the project (BLUEZ_DIR), some 700 MB for each suite.
# BLUEZ_PATIENCE: seconds after which a step has failed; BLUEZ_SECONDS: after which the guest is ended.
# A run ends with 0 when all came true, 124 when it was ended, 125 when the guest broke down.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(realpath -m "${BLUEZ_DIR:-$root/.bluez}")
what=${1:?build or run}
suite=${2:?bookworm or trixie}
case $suite in
    bookworm) python=3.11 ;;
    trixie) python=3.13 ;;
    *) echo "guest.sh: no suite $suite; there are bookworm and trixie" >&2; exit 2 ;;
esac
guest=$work/$suite
files=$work/$suite-files

build() {
    [ "$(id -u)" = 0 ] || { echo "guest.sh: building a guest needs root" >&2; exit 1; }
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends \
        qemu-system-x86 debootstrap busybox-static kmod cpio e2fsprogs xz-utils >/dev/null
    mkdir -p "$work"
    [ -e "$guest/.done" ] || {
        rm -rf "$guest"
        debootstrap --variant=minbase --include=bluez,dbus,python3,kmod,procps,iproute2 \
            "$suite" "$guest" >"$work/debootstrap.log" 2>&1
        touch "$guest/.done"
    }
    # What the engine and bumble need, as wheels for the guest's Python. Compiled: without a
    # processor of its own the guest would take half a minute over that, each time.
    "$root/.venv/bin/python" -m pip --disable-pip-version-check -q install --upgrade \
        --python-version $python --implementation cp --only-binary :all: \
        --target "$guest/opt/packages" -c "$root/constraints.txt" \
        bleak bumble cbor2 cryptography ifaddr zeroconf
    chroot "$guest" python3 -m compileall -q /opt/packages "/usr/lib/python$python" \
        >/dev/null 2>&1 || true
    kernel
    cat >"$guest/guest-init" <<'INIT'
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root PYTHONUNBUFFERED=1
mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
for folder in /run /tmp /var/lib/bluetooth; do mount -t tmpfs tmpfs $folder; done
mkdir -p /run/dbus
ip link set lo up
modprobe -a hci_vhci uhid algif_hash algif_skcipher cmac ecb 9p 9pnet_virtio
mount -t 9p -o trans=virtio,version=9p2000.L payload /payload
sh /payload/run.sh
echo "GUEST-RC=$?"
sync
echo o >/proc/sysrq-trigger
sleep 5
INIT
    chmod +x "$guest/guest-init"
    mkdir -p "$guest/payload" "$guest/var/lib/bluetooth"
    rm -f "$work/$suite.img"
    # Straight from the folder: no loop device, no mount.
    mke2fs -q -t ext4 -d "$guest" -F "$work/$suite.img" 1000M
}

# The kernel is unpacked, never installed; with it the modules of Bluetooth, and a small initramfs
# for those of the disk.
kernel() {
    local unpacked=$work/$suite-kernel version modules init list module name
    rm -rf "$unpacked"
    mkdir -p "$unpacked"
    cp -L /etc/resolv.conf "$guest/etc/resolv.conf"
    chroot "$guest" sh -ec 'cd /tmp; apt-get update -qq
        apt-get download -qq "$(apt-cache depends linux-image-amd64 |
            grep -oE "linux-image-[0-9][^ ]*" | head -1)"'
    dpkg-deb -x "$guest"/tmp/linux-image-*.deb "$unpacked"
    rm -f "$guest"/tmp/*.deb
    [ -d "$unpacked/lib/modules" ] || {
        mkdir -p "$unpacked/lib"
        ln -sfn ../usr/lib/modules "$unpacked/lib/modules"
    }
    version=$(ls "$unpacked/lib/modules")
    depmod -b "$unpacked" "$version"
    cp "$unpacked"/boot/vmlinuz-* "$work/$suite.kernel"
    needed() {
        for module in "$@"; do modprobe -d "$unpacked" -S "$version" --show-depends "$module"; done |
            awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
    }
    modules=$guest/usr/lib/modules/$version
    mkdir -p "$modules"
    for module in $(needed bluetooth hci_vhci uhid algif_hash algif_skcipher cmac ecb 9p 9pnet_virtio); do
        name=${module#*/lib/modules/"$version"/}
        mkdir -p "$modules/$(dirname "$name")"
        cp "$module" "$modules/$name"
    done
    cp "$unpacked/lib/modules/$version"/modules.{builtin,order} "$modules/"
    chroot "$guest" depmod "$version"
    init=$(mktemp -d)
    mkdir -p "$init"/{bin,proc,sys,dev,newroot,modules}
    cp /bin/busybox "$init/bin/"
    list=
    for module in $(needed virtio_pci virtio_blk ext4); do
        name=$(basename "$module" .xz)
        case $module in
            *.xz) xz -dc "$module" >"$init/modules/$name" ;;
            *) cp "$module" "$init/modules/$name" ;;
        esac
        list="$list $name"
    done
    cat >"$init/init" <<INIT
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc p /proc; \$b mount -t sysfs s /sys; \$b mount -t devtmpfs d /dev
for module in$list; do \$b insmod /modules/\$module 2>/dev/null; done
n=0; while [ ! -b /dev/vda ] && [ \$n -lt 100 ]; do \$b sleep 0.05; n=\$((n+1)); done
\$b mount -t ext4 -o noatime /dev/vda /newroot
\$b umount /proc; \$b umount /sys; \$b mount -o move /dev /newroot/dev
exec \$b switch_root /newroot /guest-init
INIT
    chmod +x "$init/init"
    (cd "$init" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/$suite.initrd"
    rm -rf "$init"
}

# No -enable-kvm and one processor: where this was made, nested KVM hangs a stock kernel, and two
# emulated processors crash one now and then. HPET: on a busy machine the emulated TSC is measured
# wrong, and the guest's clock runs several times too fast.
run() {
    local channels=${1:?channels} megabytes=${2:?megabytes} log=$work/$suite-$1.log
    local seconds=${BLUEZ_SECONDS:-5400} ended status
    [ -e "$work/$suite.img" ] || { echo "guest.sh: build $suite first" >&2; exit 1; }
    rm -rf "$files"
    mkdir -p "$files"
    cp -r "$root/core" "$root/tests" "$files/"
    cp "$root/tests/bluez/inside.sh" "$files/run.sh"
    printf '[GATT]\nChannels = %s\n' "$channels" >"$files/main.conf"
    echo "$megabytes" >"$files/megabytes"
    echo "${BLUEZ_PATIENCE:-1200}" >"$files/patience"
    set +e
    timeout "$seconds" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 1 -m 1024 \
        -nodefaults -display none -no-reboot -serial stdio -nic none \
        -kernel "$work/$suite.kernel" -initrd "$work/$suite.initrd" \
        -append "console=ttyS0 quiet panic=-1 oops=panic mitigations=off tsc=unstable clocksource=hpet" \
        -drive "file=$work/$suite.img,format=raw,if=virtio,snapshot=on" \
        -virtfs "local,path=$files,mount_tag=payload,security_model=none" \
        </dev/null 2>&1 | tee "$log"
    ended=${PIPESTATUS[0]}
    set -e
    status=$(sed -n 's/.*GUEST-RC=\([0-9]*\).*/\1/p' "$log" | tail -1)
    if [ -z "$status" ] && grep -q FAILED "$log"; then
        status=1
    elif [ -z "$status" ] && [ "$ended" = 124 ]; then
        echo "guest.sh: ended after $seconds s, before it was done" >&2
        exit 124
    fi
    exit "${status:-125}"
}

case $what in
    build) build ;;
    run) run "${3:-}" "${4:-}" ;;
    *) echo "guest.sh: build or run" >&2; exit 2 ;;
esac
