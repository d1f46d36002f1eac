# For the suites of tests/run, which source it. A suite prints what it likes and ends with a line `N passed, N failed`.
# shellcheck shell=bash
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
top=$PWD
export PYTHON=${PYTHON:-$top/.venv/bin/python}

# count_pytest LOG: pytest's closing line as ours. Errors and a run without tests count as failures.
count_pytest() {
	local line good=0 bad=0
	line=$(grep -E '^=* ?([0-9]+ [a-z]+,? )+in [0-9.]+s' "$1" | tail -n 1)
	[[ ! $line =~ ([0-9]+)\ passed ]] || good=${BASH_REMATCH[1]}
	[[ ! $line =~ ([0-9]+)\ failed ]] || bad=${BASH_REMATCH[1]}
	[[ ! $line =~ ([0-9]+)\ error ]] || bad=$((bad + BASH_REMATCH[1]))
	[ $((good + bad)) -gt 0 ] || bad=1
	printf '%d passed, %d failed\n' "$good" "$bad"
}

# run_pytest ARGUMENT…: pytest with them, then the closing line.
run_pytest() {
	local out rc=0
	out=$(mktemp)
	"$PYTHON" -m pytest -q -p no:cacheprovider "$@" 2>&1 | tee "$out"
	rc=${PIPESTATUS[0]}
	count_pytest "$out"
	rm -f "$out"
	return "$rc"
}

# make_check BUILD: `make check` there, and the sum of what the cmocka programs report. One that dies counts as a failure.
make_check() {
	local good=0 bad=0 trs log
	make -s -C "$1" -j"$(nproc)" check
	for trs in "$1"/tests/unit/*.trs; do
		log=${trs%.trs}.log
		[[ ! $(grep -E '^\[  PASSED  \]' "$log" | tail -n 1) =~ ([0-9]+)\ test ]] || good=$((good + BASH_REMATCH[1]))
		grep -q '^:test-result: PASS' "$trs" && continue
		cat "$log"
		if [[ $(grep -E '^\[  FAILED  \] [0-9]+ test' "$log" | tail -n 1) =~ ([0-9]+)\ test ]]; then
			bad=$((bad + BASH_REMATCH[1]))
		else
			bad=$((bad + 1))
		fi
	done
	printf '%d passed, %d failed\n' "$good" "$bad"
	[ $bad = 0 ]
}

# with_server COMMAND…: the command with SYNC_URL of a fresh tests/serve, which takes its own settings from the environment.
# A server that does not come up, or whose log holds a report of the sanitizers, is one failure more.
with_server() {
	local data pid port rc=0 out line i
	data=$(mktemp -d) out=$(mktemp)
	port=$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	PORT=$port BASE=$data/base tests/serve >"$data/log" 2>&1 &
	pid=$!
	for ((i = 0; i < 600; i++)); do
		! grep -q '^serving ' "$data/log" && kill -0 $pid 2>/dev/null || break
		sleep 0.1
	done
	SYNC_URL=http://127.0.0.1:$port/ "$@" 2>&1 | tee "$out"
	rc=${PIPESTATUS[0]}
	kill -TERM $pid 2>/dev/null
	wait $pid || { printf 'tests/serve ended with status %d\n' $?; rc=1; }
	if grep -qE 'Sanitizer|runtime error:' "$data/log"; then
		printf 'a report of the sanitizers:\n'
		rc=1
	fi
	if [ "$rc" != 0 ]; then
		printf '\n---- the end of the log of the server\n'
		tail -n 40 "$data/log"
	fi
	line=$(tail -n 1 "$out")
	[ "$rc" = 0 ] || [[ $line != *' 0 failed' ]] || line=${line% 0 failed}' 1 failed'
	printf '%s\n' "$line"
	rm -rf "$data" "$out"
	return "$rc"
}

# users COUNT [NAME:PASSWORD…]: that many users u01:p01 … and these, for tests/serve (SYNC_USER1 …) and pytest (SYNC_USERS).
users() {
	local count=$1 pair pairs=()
	shift
	for ((i = 1; i <= count; i++)); do
		printf -v pair 'u%02d:p%02d' "$i" "$i"
		pairs+=("$pair")
	done
	pairs+=("$@")
	for ((i = 0; i < ${#pairs[@]}; i++)); do export "SYNC_USER$((i + 1))=${pairs[i]}"; done
	SYNC_USERS=$(IFS=, && printf '%s' "${pairs[*]}")
	export SYNC_USERS
}

# How many tests with real clients run at once. A client sleeps a good part of its time.
at_a_time=$((2 * $(nproc)))
[ $at_a_time -le 4 ] || at_a_time=4

# clients ARGUMENT…: tests/clients against a server with the settings of the environment.
clients() {
	users 60
	with_server run_clients -n $at_a_time "$@"
}
run_clients() (
	cd tests/clients && run_pytest "$@"
)

# old_clients ARGUMENT…: tests/old-clients, after making an environment for each client that it names.
old_clients() {
	local list version folder
	for list in tests/old-clients/requirements-*.txt; do
		version=${list##*requirements-} version=${version%.txt} folder=$top/.venv-old/$version
		[ ! -e "$folder/.ready" ] || [ "$list" -nt "$folder/.ready" ] || continue
		rm -rf "$folder"
		if ! /usr/bin/python3 -m venv "$folder" || ! "$folder/bin/pip" install -q -r "$list"; then
			printf 'no environment for the client %s\n0 passed, 1 failed\n' "$version"
			return 1
		fi
		: >"$folder/.ready"
	done
	users 60
	with_server run_pytest tests/old-clients -n $at_a_time "$@"
}
