#!/bin/sh
# Runs in the guest: record.sh COMMANDS FIXTURE. Each line of COMMANDS runs in a fresh copy of
# FIXTURE; its status, output and error output go to standard output.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root LC_ALL=C TZ=UTC
n=0
grep -v '^#' "$1" > /tmp/commands
while IFS= read -r line; do
	n=$((n + 1))
	rm -rf /tmp/w && cp -r "$2" /tmp/w && cd /tmp/w || exit 1
	mkfifo fifo
	printf '%s\n' "$line" > /tmp/line
	timeout -s KILL 120 sh /tmp/line > /tmp/out 2> /tmp/err < /dev/null
	status=$?
	echo "### $n: $line"
	echo "status $status"
	echo "--- output"
	cat /tmp/out
	echo "--- errors"
	cat /tmp/err
	cd /
done < /tmp/commands
echo "### $n lines"
