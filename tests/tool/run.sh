#!/bin/sh
# Tests of the gatehouse command: each function named t_* is one claim.
#
# usage: tests/tool/run.sh [NAME-PATTERN]
#   GATEHOUSE_TEST_KERNEL   kernel image to run on (default: Gatehouse's)
#   GATEHOUSE_TEST_OPTIONS  more options for each run, such as "--machine q35 --cpus 2"
# A test prints what is wrong and returns non-zero. The last line reads "N passed, N failed".
# shellcheck disable=SC2086,SC2016 # $kernel and $options are lists; guest scripts expand in the guest
set -u
cd "$(dirname "$0")/../.." || exit
tool=$PWD/build/gatehouse
drive=$PWD/build/tests/tool/pty_drive
kernel=${GATEHOUSE_TEST_KERNEL:+--kernel $GATEHOUSE_TEST_KERNEL}
options=${GATEHOUSE_TEST_OPTIONS:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# --- helpers ---------------------------------------------------------------------------------

# A run on the kernel under test; never longer than a minute.
g() {
	timeout -k 5 90 "$tool" run --timeout 60 $kernel $options "$@"
}

# The kernel under test, if it can mount shares: Debian's small one cannot.
shares_work() {
	case $kernel in *cloud*) echo '    this kernel has no 9p'; return 1 ;; esac
}

fail() {
	echo "    $*"
	return 1
}

equal() { # WHAT WANTED GOT
	[ "$2" = "$3" ] || fail "$1: wanted '$2', got '$3'"
}

# Runs the command; its status must be $1, its standard error one line that contains $2.
one_line_error() {
	wanted=$1 text=$2
	shift 2
	"$@" </dev/null >"$work/out" 2>"$work/err"
	got=$?
	equal status "$wanted" "$got" || return 1
	equal "lines on standard error" 1 "$(wc -l <"$work/err")" || { cat "$work/err"; return 1; }
	grep -q '^gatehouse: ' "$work/err" || fail "no prefix: $(cat "$work/err")" || return 1
	grep -qF -- "$text" "$work/err" || fail "no '$text' in: $(cat "$work/err")" || return 1
	equal "bytes on standard output" 0 "$(wc -c <"$work/out")"
}

wrong_use() { # TEXT OPTION...
	text=$1
	shift
	one_line_error 125 "$text" "$tool" run "$@" -- true
}

# --- units -----------------------------------------------------------------------------------

t_unit_tests() {
	build/tests/tool/unit >"$work/out" 2>&1 || fail "$(cat "$work/out")"
}

# --- wrong use -------------------------------------------------------------------------------

t_no_subcommand() { one_line_error 125 'gatehouse run' "$tool"; }
t_unknown_subcommand() { one_line_error 125 "'walk'" "$tool" walk; }
t_unknown_option() { wrong_use "unknown option '--bogus'" --bogus; }
t_abbreviated_option_is_unknown() { wrong_use "unknown option '--mem'" --mem 64M; }
t_short_option_is_unknown() { wrong_use "unknown option '-x'" -x; }
t_option_without_value() { one_line_error 125 'needs a value' "$tool" run --cpus; }
t_flag_with_value() { wrong_use 'takes no value' --icount=yes; }
t_bad_cpus() {
	for value in 0 -1 256 two 1x ''; do wrong_use '--cpus' --cpus "$value" || return 1; done
}
t_bad_memory() {
	for value in 0 256 -1G 1T 99999999999G 12Q M; do
		wrong_use '--memory' --memory "$value" || return 1
	done
}
t_bad_timeout() {
	for value in 0 -1 soon nan inf 1x ''; do
		wrong_use '--timeout' --timeout "$value" || return 1
	done
}
t_bad_machine() { wrong_use '--machine' --machine pdp11; }
t_bad_accel() { wrong_use '--accel' --accel warp; }
t_bad_env() { wrong_use '--env' --env NAME && wrong_use '--env' --env =value; }
t_bad_workdir() { wrong_use '--workdir' --workdir relative; }
t_bad_user() { wrong_use '--user' --user '' && wrong_use '--user' --user root:; }
t_icount_needs_one_cpu() { wrong_use '--icount' --icount --cpus 2; }
t_icount_needs_tcg() { wrong_use '--icount' --icount --accel kvm; }
t_missing_kernel() { wrong_use 'cannot read the kernel' --kernel "$work/none"; }
t_kernel_that_is_none() { wrong_use 'is no kernel' --kernel "$0"; }
t_empty_kernel() { wrong_use 'is no kernel' --kernel /dev/null; }
t_missing_root() { wrong_use 'cannot read the root' $kernel --root "$work/none"; }
t_root_that_is_no_archive() { wrong_use 'neither a directory nor a cpio' $kernel --root "$0"; }
t_cut_root_archive() {
	head -c 100000 build/root.cpio >"$work/cut"
	wrong_use 'incomplete' $kernel --root "$work/cut"
}
t_unreadable_root() {
	[ "$(id -u)" -ne 0 ] || { unreadable_as_nobody; return; }
	mkdir -m 0 "$work/locked"
	wrong_use 'cannot read the root' $kernel --root "$work/locked"
}
# Root can read everything: another user has to try.
unreadable_as_nobody() {
	command -v setpriv >/dev/null || fail "needs setpriv" || return 1
	copy=$(mktemp -d /tmp/gatehouse-test.XXXXXX)
	cp build/gatehouse build/init build/root.cpio "${GATEHOUSE_TEST_KERNEL:-build/gatehouse.elf}" "$copy"
	mkdir -m 0 "$copy/locked"
	chmod 755 "$copy"
	one_line_error 125 'cannot read the root' setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$copy/gatehouse" run --kernel "$copy/$(basename "${GATEHOUSE_TEST_KERNEL:-gatehouse.elf}")" \
		--root "$copy/locked" -- true
	verdict=$?
	rm -rf "$copy"
	return $verdict
}
t_no_qemu() {
	one_line_error 125 'install the package qemu-system-x86' \
		env PATH="$work" "$tool" run $kernel -- true
}
t_memory_too_small_for_root() {
	mkdir "$work/big" && head -c 40000000 /dev/zero >"$work/big/file"
	wrong_use 'this root needs at least' $kernel --memory 32M --root "$(tests/pack-root "$work/big")"
}
t_help_and_version() {
	"$tool" --help | grep -q 'gatehouse run' || fail 'no usage' || return 1
	"$tool" --version | grep -q '^gatehouse [0-9]' || fail 'no version' || return 1
	for option in root volume env workdir user hostname cpus memory timeout machine accel icount kernel \
		append; do
		"$tool" run --help | grep -q -- "--$option" || fail "--$option is not in the help" || return 1
	done
}

# --- exit status -----------------------------------------------------------------------------

t_status_is_the_programs() {
	g sh -c 'exit 37' </dev/null
	equal status 37 $?
}
t_status_of_success() { g true </dev/null; }
t_status_128_plus_signal() {
	g sh -c 'kill -9 $$' </dev/null
	equal status 137 $?
}
t_status_127_not_found() { one_line_error 127 'no-such-program' g no-such-program; }
t_status_127_missing_path() { one_line_error 127 '/no/such/file' g /no/such/file; }
t_status_126_not_executable() { one_line_error 126 '/etc/passwd' g /etc/passwd; }
t_status_126_directory() { one_line_error 126 '/etc' g /etc; }
t_status_125_workdir_missing() { one_line_error 125 "'/no/such/dir'" g --workdir /no/such/dir true; }
t_status_125_user_unknown() { one_line_error 125 "'nosuchuser'" g --user nosuchuser true; }
t_status_125_group_unknown() { one_line_error 125 "'nosuchgroup'" g --user root:nosuchgroup true; }
t_status_124_timeout() {
	start=$(date +%s)
	timeout -k 5 60 "$tool" run $kernel $options --timeout 5 -- sh -c 'echo before; sleep 50' \
		</dev/null >"$work/out"
	equal status 124 $? || return 1
	equal output before "$(cat "$work/out")" || return 1
	[ $(($(date +%s) - start)) -lt 10 ] || fail 'took longer than the time-out'
}
# Each line of a panic's trace is a place right behind a call, in the function that it names.
t_panic_traces_its_calls() {
	image=${GATEHOUSE_TEST_KERNEL:-build/gatehouse.elf}.debug
	[ -f "$image" ] || { echo '    this kernel is not ours'; return 0; }
	g --append init=/nonexistent true </dev/null >"$work/out" 2>&1
	sed -n 's/^\[[ 0-9.]*\]   \([A-Za-z_0-9.]*\)+0x\([0-9a-f]*\)$/\1 \2/p' "$work/out" >"$work/trace"
	equal "names in the trace" "panic init_main kernel_first_run " \
		"$(sed -n 's/^\(panic\|init_main\|kernel_first_run\) .*/\1/p' "$work/trace" | tr '\n' ' ')" || return 1
	while read -r symbol offset; do
		start=$(nm "$image" | sed -n "s/^ffffffff\([0-9a-f]*\) [tT] $symbol\$/\1/p")
		end=$((0x$start + 0x$offset))
		objdump -d --start-address="$(printf '0xffffffff%x' $((end - 5)))" \
			--stop-address="$(printf '0xffffffff%x' $end)" "$image" | grep -q '\<call\>' ||
			fail "$symbol+0x$offset follows no call" || return 1
	done <"$work/trace"
}
t_guest_that_dies_is_reported() {
	g sh -c 'poweroff -f; sleep 50' </dev/null >"$work/out" 2>"$work/err"
	equal status 125 $? || return 1
	head -n 1 "$work/err" | grep -q '^gatehouse: the guest stopped' || fail "$(cat "$work/err")"
}

# --- streams ---------------------------------------------------------------------------------

t_streams_are_separate() {
	g sh -c 'echo out; echo err >&2' </dev/null >"$work/out" 2>"$work/err"
	equal stdout out "$(cat "$work/out")" && equal stderr err "$(cat "$work/err")"
}
t_streams_are_no_terminals() {
	equal answer 'no no no' "$(g sh -c \
		'for fd in 0 1 2; do [ -t $fd ] && echo yes || echo no; done' </dev/null | xargs)"
}
t_binary_stdin_to_stdout() {
	head -c 5000003 /dev/urandom >"$work/data"
	g cat <"$work/data" | cmp - "$work/data"
}
t_stdin_ends() { equal count 0 "$(g wc -c </dev/null)"; }
t_stdin_streams() {
	equal count 50000000 "$(head -c 50000000 /dev/zero | g wc -c)"
}
t_stdout_streams() {
	equal count 33554432 "$(g head -c 32m /dev/zero </dev/null | wc -c)"
}
t_slow_reader_loses_nothing() {
	equal count 3000000 "$(g head -c 3000000 /dev/zero </dev/null | { sleep 6; wc -c; })"
}
t_unread_stdin_does_not_block() {
	head -c 3000000 /dev/zero | g true
}
t_reader_that_leaves_ends_the_program() {
	start=$(date +%s)
	{ g yes; echo $? >"$work/status"; } </dev/null 2>"$work/err" | head -n 1 >"$work/out"
	equal line y "$(cat "$work/out")" || return 1
	equal status 141 "$(cat "$work/status")" || return 1
	[ $(($(date +%s) - start)) -lt 20 ] || fail 'went on for too long'
}
t_closed_descriptors() {
	g sh -c 'exit 9' <&- >&- 2>&-
	equal status 9 $?
}
t_output_of_background_process_before_exit() {
	equal output 'one two' "$(g sh -c 'echo one; (echo two) & wait' </dev/null | xargs)"
}
t_output_that_looks_like_an_end_mark_prefix() {
	equal count 4096 "$(g sh -c 'i=0; while [ $i -lt 256 ]; do printf 0123456789abcdef; i=$((i+1)); done' \
		</dev/null | wc -c)"
}
t_output_appears_at_once() {
	mkfifo "$work/fifo"
	g sh -c 'printf a; read answer; echo "$answer"' <"$work/fifo" >"$work/out" &
	exec 9>"$work/fifo"
	tries=0
	while [ "$(cat "$work/out")" != a ] && [ $tries -lt 200 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	echo b >&9
	exec 9>&-
	wait $!
	equal output ab "$(cat "$work/out")"
}

# --- surroundings ----------------------------------------------------------------------------

t_environment() {
	equal environment 'A=1 B=x=y' \
		"$(g --env A=0 --env=B=x=y --env A=1 env </dev/null | grep '^[AB]=' | xargs)"
}
t_default_environment() {
	g env </dev/null | sort >"$work/out"
	grep -q '^PATH=.*/bin' "$work/out" || fail 'no PATH' || return 1
	grep -qx 'HOME=/root' "$work/out" || fail "no HOME: $(cat "$work/out")"
}
t_host_environment_stays_out() {
	! SECRET=1 g env </dev/null | grep SECRET
}
t_workdir() { equal directory /tmp "$(g --workdir /tmp pwd </dev/null)"; }
t_user_by_name() {
	equal identity '65534 65534' "$(g --user nobody sh -c 'echo $(id -u) $(id -g)' </dev/null)"
}
t_user_by_number() {
	equal identity '1234 77' "$(g --user 1234:77 sh -c 'echo $(id -u) $(id -g)' </dev/null)"
}
t_user_gets_its_groups() {
	shares_work || return 0
	make_root "$work/root"
	echo alice:x:7:70::/:/bin/sh >>"$work/root/etc/passwd"
	printf 'one:x:71:bob,alice\ntwo:x:72:bob\nthree:x:73:alice\n' >"$work/root/etc/group"
	equal groups '70 71 73' "$(g --root "$work/root" --user alice -- /bin/busybox id -G </dev/null)"
}
t_user_may_not_become_root() {
	equal identity 65534 "$(g --user nobody sh -c 'chown root /tmp 2>/dev/null; id -u' </dev/null)"
}
t_hostname() { equal name otherhost "$(g --hostname otherhost hostname </dev/null)"; }
t_arguments_arrive_unchanged() {
	equal words "[a b][*][][\$x][-n]" "$(g sh -c 'printf "[%s]" "$@"' sh 'a b' '*' '' '$x' -n </dev/null)"
}
t_long_argument() {
	long=$(head -c 100000 /dev/zero | tr '\0' x)
	equal length 100000 "$(g sh -c 'echo ${#1}' sh "$long" </dev/null)"
}
t_cpus() { equal cpus 2 "$(g --cpus 2 nproc </dev/null)"; }
t_start_leaves_no_traces() {
	equal traces '' "$(g sh -c 'ls -d /init /.gatehouse 2>/dev/null' </dev/null)"
}
t_orphans_end_with_the_program() {
	g sh -c '(sleep 1000; echo late) & exit 4' </dev/null >"$work/out"
	equal status 4 $? && equal output '' "$(cat "$work/out")"
}

# --- root ------------------------------------------------------------------------------------

# A root with every type of file: needs root for the device nodes and owners.
make_root() {
	rm -rf "$1"
	mkdir -p "$1/bin" "$1/etc" "$1/d/e" && cp /bin/busybox "$1/bin/busybox" &&
		ln -s busybox "$1/bin/sh" && ln "$1/bin/busybox" "$1/bin/hard" &&
		echo root:x:0:0::/:/bin/sh >"$1/etc/passwd" && mkfifo "$1/d/fifo" &&
		echo content >"$1/d/e/file" && chmod 4751 "$1/d/e/file" && touch -d @1000000000 "$1/d/e/file"
}
root_script='b=/bin/busybox; $b stat -c "%a %s %Y" /d/e/file; $b readlink /bin/sh
	$b stat -c %F /d/fifo; [ /bin/busybox -ef /bin/hard ] && $b stat -c %h /bin/hard'
root_answer='4751 8 1000000000
busybox
fifo
2'
t_root_directory() {
	shares_work || return 0
	make_root "$work/root"
	equal answer "$root_answer" "$(g --root "$work/root" -- /bin/sh -c "$root_script" </dev/null)"
}
t_root_archive() {
	make_root "$work/root"
	(cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/root.cpio"
	equal answer "$root_answer" "$(g --root "$work/root.cpio" -- /bin/sh -c "$root_script" </dev/null)"
}
t_root_with_files_in_tmp() {
	shares_work || return 0
	make_root "$work/root"
	mkdir "$work/root/tmp" && echo kept >"$work/root/tmp/file"
	equal content kept "$(g --root "$work/root" -- /bin/busybox cat /tmp/file </dev/null)"
}
t_root_keeps_owners_and_devices() {
	[ "$(id -u)" -eq 0 ] || { echo '    not root: owners cannot be made'; return 0; }
	shares_work || return 0
	make_root "$work/root"
	chown 12:34 "$work/root/d/e/file" && mknod "$work/root/d/null" c 1 3
	equal answer '12:34 1 3' "$(g --root "$work/root" -- /bin/sh -c \
		'/bin/busybox stat -c %u:%g /d/e/file; /bin/busybox stat -c "%t %T" /d/null' </dev/null | xargs)"
}

# --- shares ----------------------------------------------------------------------------------

t_volume_without_guest_path() { wrong_use '--volume' $kernel --volume "$work"; }
t_volume_with_relative_guest_path() { wrong_use '--volume' $kernel --volume "$work:v"; }
t_volume_on_the_root() { wrong_use '--volume' $kernel --volume "$work:/"; }
t_volume_that_does_not_exist() { wrong_use 'cannot read the volume' $kernel --volume "$work/none:/v"; }
t_volume_that_is_a_file() { wrong_use 'is no directory' $kernel --volume "$0:/v"; }
t_volume_is_shared_both_ways() {
	shares_work || return 0
	mkdir -p "$work/volume" && echo outside >"$work/volume/in"
	equal content outside "$(g --volume "$work/volume:/a/b" sh -c 'cat /a/b/in; echo inside >/a/b/out' </dev/null)" &&
		equal content inside "$(cat "$work/volume/out")"
}
t_volume_with_colons_and_commas() {
	shares_work || return 0
	mkdir -p "$work/a,b:c" && echo odd >"$work/a,b:c/file"
	equal content odd "$(g --volume "$work/a,b:c:/v" cat /v/file </dev/null)"
}
t_read_only_volume() {
	shares_work || return 0
	mkdir -p "$work/volume" && echo kept >"$work/volume/file"
	equal answer 'Read-only file system kept' "$(g --volume "$work/volume:/v:ro" \
		sh -c 'rm /v/file 2>&1 | sed "s/.*: //"; cat /v/file' </dev/null | xargs)"
}
t_live_root_is_written() {
	shares_work || return 0
	make_root "$work/root"
	g --root "$work/root" -- /bin/sh -c 'echo new >/d/made; /bin/busybox rm /d/e/file' </dev/null &&
		equal content new "$(cat "$work/root/d/made")" && [ ! -e "$work/root/d/e/file" ] &&
		[ ! -e "$work/root/init" ]
}
t_init_of_a_live_root_is_left_alone() {
	shares_work || return 0
	make_root "$work/root"
	echo mine >"$work/root/init"
	g --root "$work/root" -- /bin/busybox true </dev/null && equal content mine "$(cat "$work/root/init")"
}
t_host_changes_are_seen() {
	shares_work || return 0
	mkdir -p "$work/volume" && echo old >"$work/volume/file"
	rm -f "$work/volume/new"
	"$tool" run --timeout 60 $kernel $options --volume "$work/volume:/v" -- sh -c 'cat /v/file /v/new; echo ready >/v/ready
		sync; sleep 3; cat /v/file /v/new' </dev/null >"$work/out" 2>/dev/null &
	tries=0
	while [ ! -s "$work/volume/ready" ] && [ $tries -lt 200 ]; do sleep 0.1; tries=$((tries + 1)); done
	echo 'changed text' >"$work/volume/file" && echo new >"$work/volume/new"
	wait $!
	equal output 'old changed text new' "$(xargs <"$work/out")"
}

# --- signals ---------------------------------------------------------------------------------

# Starts a guest script in the background, waits for its "ready", sends a signal to the command.
signalled() { # SIGNAL SCRIPT
	: >"$work/out"
	"$tool" run --timeout 60 $kernel $options -- sh -c "$2" </dev/null >"$work/out" &
	pid=$!
	tries=0
	while ! grep -q ready "$work/out" && [ $tries -lt 300 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	kill -s "$1" $pid
	wait $pid
}
t_signals_reach_the_program() {
	for signal in INT TERM HUP QUIT USR1 USR2; do
		signalled $signal "trap 'echo got $signal; exit 3' $signal; echo ready; while :; do sleep 0.1; done"
		equal "status after $signal" 3 $? || return 1
		grep -q "got $signal" "$work/out" || fail "$signal did not arrive" || return 1
	done
}
t_signal_kills_the_program() {
	signalled TERM 'echo ready; exec sleep 100'
	equal status 143 $?
}
t_signal_before_the_program_runs() {
	"$tool" run --timeout 60 $kernel $options -- sleep 100 </dev/null &
	pid=$!
	sleep 0.02
	kill -TERM $pid
	wait $pid
	equal status 143 $?
}
t_stops_and_continues() {
	"$tool" run --timeout 60 $kernel $options -- sh -c 'sleep 1; exit 8' </dev/null &
	pid=$!
	sleep 0.3
	child=$(cat "/proc/$pid/task/$pid/children")
	kill -TSTP $pid
	sleep 0.3
	equal states 'T T' "$(awk '{print $3}' "/proc/$pid/stat" "/proc/${child%% *}/stat" | xargs)"
	verdict=$?
	kill -CONT $pid
	wait $pid
	equal status 8 $? && return $verdict
}
t_qemu_dies_with_the_command() {
	"$tool" run --timeout 60 $kernel $options -- sleep 100 </dev/null &
	pid=$!
	sleep 1
	child=$(cat "/proc/$pid/task/$pid/children")
	child=${child%% *}
	kill -KILL $pid
	wait $pid 2>/dev/null
	sleep 0.5
	[ -n "$child" ] || fail 'no child was found' || return 1
	[ ! -d "/proc/$child" ] || grep -q '^State:.Z' "/proc/$child/status" || fail 'QEMU lives on'
}
t_killed_qemu_is_reported() {
	"$tool" run --timeout 60 $kernel $options -- sleep 100 </dev/null 2>"$work/err" &
	pid=$!
	sleep 1
	child=$(cat "/proc/$pid/task/$pid/children")
	kill -KILL "${child%% *}"
	wait $pid
	equal status 125 $? || return 1
	grep -q '^gatehouse: QEMU was killed by signal 9' "$work/err" || fail "$(cat "$work/err")"
}

# --- terminal --------------------------------------------------------------------------------

on_terminal() { # SCRIPT CMD...: drives the command on a terminal of 33 rows and 101 columns
	script=$1
	shift
	printf '%s\n' "$script" >"$work/script"
	timeout -k 5 120 "$drive" 33 101 "$work/script" \
		"$tool" run --timeout 90 $kernel $options -- "$@" >"$work/out" 2>"$work/err"
}
t_terminal_shell() {
	on_terminal 'expect # 
send tty; stty size\r
expect /dev/hvc0
expect 33 101
resize 44 120
hold 500
send stty size\r
expect 44 120
send exit 5\r' || [ $? -eq 5 ] || fail "$(cat "$work/err" "$work/out")"
}
t_terminal_status_and_restored_modes() {
	on_terminal '' sh -c 'exit 6'
	equal status 6 $?
}
t_terminal_output_is_complete() {
	on_terminal '' sh -c 'i=0; while [ $i -lt 2000 ]; do echo line $i of many; i=$((i+1)); done'
	equal status 0 $? && equal lines 2000 "$(grep -c 'of many' "$work/out")"
}
t_terminal_slow_reader_loses_nothing() {
	on_terminal 'expect ready
hold 4000' sh -c 'echo ready; seq 100000 200000; echo end'
	equal status 0 $? && equal lines 100001 "$(grep -c '^[12][0-9]*' "$work/out")"
}
t_terminal_interrupt_key() {
	on_terminal 'expect ready
send \x03' sh -c 'trap "echo got it; exit 3" INT; echo ready; while :; do sleep 0.1; done'
	equal status 3 $? && grep -q 'got it' "$work/out"
}
t_terminal_job_control() {
	on_terminal 'expect # 
send sleep 100\r
hold 1000
send \x1a
expect topped
send jobs\r
expect sleep 100
send kill -9 %1\r
hold 500
send exit 0\rexit 0\r'
	equal status 0 $?
}
t_terminal_restored_after_timeout() {
	printf 'expect ready\n' >"$work/script"
	"$drive" 24 80 "$work/script" "$tool" run --timeout 6 $kernel $options -- \
		sh -c 'echo ready; sleep 100' >"$work/out" 2>"$work/err"
	equal status 124 $?
}
t_terminal_restored_after_signal() {
	on_terminal 'expect ready
kill 15' sh -c 'echo ready; exec sleep 100'
	equal status 143 $?
}
t_terminal_keeps_stderr_apart() {
	cat >"$work/apart" <<-END
		exec "$tool" run --timeout 60 $kernel $options -- sh -c 'echo out; echo err >&2; tty' 2>"$work/apart.err"
	END
	echo 'expect hvc0' >"$work/script"
	"$drive" 24 80 "$work/script" sh "$work/apart" >"$work/out"
	equal status 0 $? && equal stderr err "$(cat "$work/apart.err")"
}

# --- the serial line, on a machine that was started by hand -----------------------------------

t_serial_line_is_a_terminal() {
	for machine in microvm,acpi=on,pit=on,pic=on,rtc=on,isa-serial=on q35; do
		cat >"$work/script" <<-'END'
			expect # 
			send tty; e\x7f\x7fecho $((6*7))\r
			expect /dev/console
			expect 42
			send echo rea""dy; sleep 100\r
			expect ready
			hold 500
			send \x03
			expect # 
			send echo rea""dy; cat > /tmp/line\r
			expect ready
			hold 500
			send hallo\x7f\x15hello\r\x04
			expect # 
			send stty < /dev/ttyS0; md5sum /tmp/line; exit\r
			expect 115200
			expect b1946ac92492d2347c6235b4d2611184
		END
		timeout -k 5 60 "$drive" 24 80 "$work/script" qemu-system-x86_64 -nodefaults \
			-no-user-config -display none -machine "$machine" -cpu max -m 256 -smp 2 \
			-kernel build/gatehouse.elf -chardev stdio,id=line,signal=off \
			-serial chardev:line -no-reboot >"$work/out" 2>"$work/err" ||
			fail "$machine: $(cat "$work/err" "$work/out")" || return 1
	done
}

# --- seccomp profiles ------------------------------------------------------------------------

profile() { # TEXT: makes $work/profile
	printf '%s' "$1" >"$work/profile"
}
bad_profile() { # MESSAGE TEXT
	profile "$2"
	wrong_use "$1" --seccomp "$work/profile"
}

t_seccomp_bad_profiles() {
	wrong_use 'No such file' --seccomp "$work/none" &&
		bad_profile 'not valid JSON' '{' &&
		bad_profile 'no JSON object' '[]' &&
		bad_profile 'no defaultAction' '{}' &&
		bad_profile "unknown action 'X'" '{"defaultAction":"X"}' &&
		bad_profile 'wrong type' '{"defaultAction":1}' &&
		bad_profile 'nobody to notify' '{"defaultAction":"SCMP_ACT_NOTIFY"}' &&
		bad_profile 'error number is given' '{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":3}' &&
		bad_profile 'without names' '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_LOG"}]}' &&
		bad_profile 'without an action' '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"]}]}' &&
		bad_profile 'unknown architecture' '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["Z80"]}' &&
		bad_profile 'unknown flag' '{"defaultAction":"SCMP_ACT_ALLOW","flags":["F"]}' &&
		bad_profile 'unknown comparison' '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG","args":[{"index":0,"op":"LIKE"}]}]}' &&
		bad_profile "'index'" '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG","args":[{"index":6,"op":"SCMP_CMP_EQ"}]}]}'
}
t_seccomp_holds_for_root_and_others() {
	profile '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
		{"names":["mkdir","nosuchcall"],"action":"SCMP_ACT_ERRNO","errnoRet":7},
		{"names":["kill"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":10,"op":"SCMP_CMP_EQ"}]}]}'
	for user in 0 1000; do
		out=$(g --user $user --seccomp "$work/profile" -- sh -c \
			'mkdir /tmp/x; kill -10 $$; kill -0 $$ && grep -E "^(Seccomp|NoNewPrivs|CapPrm):" /proc/self/status | tr "\n\t" "  "; trap "" USR2; kill -12 $$ && echo ok' 2>&1)
		echo "$out" | grep -q 'mkdir.*Argument list too long' || fail "mkdir: $out" || return 1
		echo "$out" | grep -q 'Operation not permitted' || fail "kill: $out" || return 1
		echo "$out" | grep -q 'NoNewPrivs: 0 Seccomp: 2 ok' || fail "status: $out" || return 1
		[ $user = 0 ] || echo "$out" | grep -q 'CapPrm: 0000000000000000' || fail "caps: $out" || return 1
	done
}
t_seccomp_kills() {
	profile '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_KILL_PROCESS"}]}'
	g --seccomp "$work/profile" -- mkdir /tmp/x
	equal status 159 $?
}
t_seccomp_that_forbids_exec() {
	profile '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["execve"],"action":"SCMP_ACT_ERRNO"}]}'
	g --seccomp "$work/profile" -- true 2>/dev/null
	equal status 126 $?
}
# The numbers of calls, from the one table.
numbers() {
	for call in "$@"; do
		sed -n "s/^SYSCALL[0-6](\([0-9]*\), $call[,)].*/\1/p" kernel/syscall/include/syscall/syscalls.def
	done
}
t_seccomp_docker_rules_refuse() {
	tests/tool/docker-profile >"$work/profile"
	mkdir "$work/root" && cp build/tests/tool/calls "$work/root/calls" || return
	(cd "$work/root" && echo calls | cpio -o -H newc >"$work/root.cpio" 2>/dev/null) || return
	# shellcheck disable=SC2046
	set -- $(numbers add_key bpf clone3 delete_module fsopen init_module kcmp kexec_load keyctl mbind mount \
		move_pages open_by_handle_at perf_event_open pivot_root quotactl reboot request_key setns \
		sethostname settimeofday swapon syslog umount2 unshare userfaultfd vhangup)
	equal calls 27 $# || return
	g --user 1000 --root "$work/root.cpio" --seccomp "$work/profile" -- /calls "$@" clone socket personality \
		900 39 >"$work/out" || return
	for number in "$@" clone socket personality; do
		wanted=1
		[ "$number" != 435 ] || wanted=38
		grep -qx "$number $wanted" "$work/out" || fail "$number: $(grep "^$number " "$work/out")" || return
	done
	# Newer than the rules; allowed.
	grep -qx '900 38' "$work/out" && grep -qx '39 0' "$work/out" || fail "$(tail -n 2 "$work/out")"
}
t_seccomp_docker_rules_let_work() {
	tests/tool/docker-profile >"$work/profile"
	for user in 0 1000; do
		equal "user $user" 4 "$(g --user $user --seccomp "$work/profile" -- sh -c \
			'cd /tmp && seq 100 | grep 7 | sort -r | tail -n 3 >f && cp f g && tar cf h f g && tar xf h && wc -l <g && sleep 0.1 && ps | grep -c "[p]s"; ls -l f | wc -l; mkdir d && rmdir d && echo fine' | wc -l)" || return 1
	done
}

# --- the trace --------------------------------------------------------------------------------

# The kernel under test, if it records calls: Linux does not.
records_calls() {
	case $kernel in *linux* | *vmlinuz*) echo '    this kernel does not record calls'; return 1 ;; esac
}
has_line() { # PATTERN FILE
	grep -qE -- "$1" "$2" || fail "no line like: $1"
}

t_trace_decodes_calls() {
	records_calls || return 0
	g --trace="$work/trace" -- sh -c 'echo hello; ls /nosuch; kill -9 $$' >"$work/out" 2>"$work/err"
	equal status 137 $? || return
	equal output hello "$(cat "$work/out")" || return
	has_line '^[0-9]+ +execve\("/bin/sh", \["sh", "-c", "echo hello; ls /nosuch; kill -9 "\.\.\.\], 0x[0-9a-f]+\) = 0$' "$work/trace" &&
		has_line '^[0-9]+ +write\(1, "hello\\n", 6\) = 6$' "$work/trace" &&
		has_line ' newfstatat\(AT_FDCWD, "/nosuch", 0x[0-9a-f]+, 0\) = -1 ENOENT \(No such file or directory\)$' "$work/trace" &&
		has_line ' clone\(CLONE_CHILD_CLEARTID\|CLONE_CHILD_SETTID\|SIGCHLD, .*\) = [0-9]+$' "$work/trace" &&
		has_line ' wait4\(-1, \[\{WIFEXITED\(s\) && WEXITSTATUS\(s\) == 1\}\], 0, NULL\) = [0-9]+$' "$work/trace" &&
		has_line ' prlimit64\(0, RLIMIT_STACK, NULL, \{rlim_cur=8388608, rlim_max=RLIM64_INFINITY\}\) = 0$' "$work/trace" &&
		has_line ' exit_group\(1\) = \?$' "$work/trace" &&
		has_line ' kill\([0-9]+, SIGKILL\) = ' "$work/trace" &&
		has_line '^[0-9]+ +\+\+\+ exited with 1 \+\+\+$' "$work/trace" &&
		has_line '^[0-9]+ +\+\+\+ killed by SIGKILL \+\+\+$' "$work/trace" || return
	# pid 1's own preparations are not the program's.
	case $(head -n 1 "$work/trace") in *execve*) ;; *) fail "begins with $(head -n 1 "$work/trace")" ;; esac
}
t_trace_names_the_check() {
	records_calls || return 0
	profile '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}'
	g --user 1000 --seccomp "$work/profile" --trace="$work/trace" -- \
		sh -c 'mkdir /tmp/x; hostname x; cat /etc/shadow; echo >/etc/passwd' >/dev/null 2>&1
	has_line ' mkdir\("/tmp/x", 0777\) = -1 EPERM .*\[seccomp filter\]$' "$work/trace" &&
		has_line ' sethostname\("x", 1\) = -1 EPERM .*\[needs CAP_SYS_ADMIN\]$' "$work/trace" &&
		has_line ' open.*"/etc/passwd".*= -1 EACCES .*\[file permissions\]$' "$work/trace"
}
t_trace_loses_nothing() {
	records_calls || return 0
	g --cpus 2 --trace="$work/trace" -- sh -c 'dd if=/dev/zero of=/dev/null bs=1 count=20000 2>/dev/null &
		dd if=/dev/zero of=/dev/null bs=1 count=20000 2>/dev/null; wait' || return
	equal reads 40000 "$(grep -cE ' read\(0, "\\0", 1\) = 1$' "$work/trace")" &&
		equal writes 40000 "$(grep -cE ' write\(1, "\\0", 1\) = 1$' "$work/trace")"
}
t_trace_to_standard_error() {
	records_calls || return 0
	g --trace -- true 2>"$work/err" && has_line 'execve\(.*\) = 0$' "$work/err"
}
t_trace_summary() {
	records_calls || return 0
	g --trace=summary -- dd if=/dev/zero of=/dev/null bs=1 count=321 2>"$work/err" || return
	has_line '^% time +seconds  usecs/call +calls +errors syscall$' "$work/err" &&
		has_line '^ *[0-9.]+ +[0-9.]+ +[0-9]+ +32[1-9] +read$' "$work/err" &&
		has_line '^100\.00 .* total$' "$work/err"
}
t_trace_wrong_use() {
	wrong_use '--trace' --trace=/nosuch/file && wrong_use '--learn' --learn /nosuch/file
}
t_learned_profile_suffices() {
	records_calls || return 0
	job='cd /tmp && seq 20 | sort -r | head -n 1 >f && cat f && mkdir d && rmdir d'
	equal first 9 "$(g --learn "$work/learned" -- sh -c "$job")" || return
	equal again 9 "$(g --seccomp "$work/learned" -- sh -c "$job")" || return
	out=$(g --seccomp "$work/learned" -- sh -c 'ln -s a /tmp/b' 2>&1)
	case $out in *'Operation not permitted'*) ;; *) fail "a call that was not learned: $out" ;; esac
}

# --- all of them -----------------------------------------------------------------------------

passed=0 failed=0
for name in $(sed -n 's/^\(t_[a-z0-9_]*\)() .*/\1/p' "$0"); do
	case $name in *${1-}*) ;; *) continue ;; esac
	if $name; then
		passed=$((passed + 1))
		echo "ok   tool ${name#t_}"
	else
		failed=$((failed + 1))
		echo "FAIL tool ${name#t_}"
	fi
	rm -rf "${work:?}"/*
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
