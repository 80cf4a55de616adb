#!/bin/sh
# Lists the embedded root file system for mkroot: busybox, a link for each of its applets, the few
# files of /etc that programs look for, and pid 1 as /init.
# usage: mkroot.sh BUSYBOX INIT ETC-DIRECTORY
set -eu
busybox=$1 init=$2 etc=$3

for dir in / /bin /sbin /etc /dev /proc /sys /run /mnt /home /lib \
	/usr /usr/bin /usr/sbin /usr/lib /usr/local /usr/local/bin /usr/local/sbin \
	/var /var/log /var/lib /var/cache; do
	echo "dir $dir 0755"
done
echo "dir /root 0700"
echo "dir /tmp 1777"
echo "dir /var/tmp 1777"
echo "link /var/run /run"
echo "char /dev/console 0600 5 1" # the kernel gives it to pid 1, before devtmpfs is mounted

echo "file /init 0755 $init"
echo "file /bin/busybox 0755 $busybox"
for file in "$etc"/*; do
	echo "file /etc/${file##*/} 0644 $file"
done

"$busybox" --list-full | while read -r applet; do
	case $applet in
	bin/busybox | linuxrc | sbin/init) ;;
	*) echo "link /$applet /bin/busybox" ;;
	esac
done
