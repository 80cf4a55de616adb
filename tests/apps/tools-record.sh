# Runs in the guest, under bash: tools-record.sh FILE. Prints each line's number, output and status.
norm() { sed -E 's/0x[0-9a-f]+/N/g; s/[0-9]+([.,:][0-9]+)*/N/g; s/[ \t]+/ /g; s/^ //; s/ $//; s/[KMGTi]+i?B?\b//g'; }
export LC_ALL=C WORK=/tmp/work
mkdir -p $WORK
cd /
sleep 1000 </dev/null >/dev/null 2>&1 &
P=$!
for i in 1 2 3 4 5 6 7 8 9 10; do
	[ "$(cat /proc/$P/comm)" = sleep ] && break
	sleep 0.1
done
n=0
while IFS= read -r line; do
	case $line in '#'* | '') continue ;; esac
	n=$((n + 1))
	echo "### $n: $line"
	(eval "$line") </dev/null 2>&1
	echo "=== $?"
done <"$1"
echo "commands: $n"
kill $P
