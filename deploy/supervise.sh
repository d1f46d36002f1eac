# Runs workers and a web server in front of them as children of this shell, until a signal or until one of them ends.
# Sourced by deploy/quickstart and tests/serve. A server that stays is better run by systemd: docs/setup.md.
#
#   worker=PATH of ankisync.fcgi    run=FOLDER for socket and spooled bodies    WORKERS=COUNT, exported
#   listen=ADDRESS    port=NUMBER    web_kind=lighttpd, nginx, apache-proxy or apache-fcgid
#   privileges=(OPTION of setpriv…)   who the children are, if not the caller
#   supervise_start; supervise_wait
#
# Settings reach the workers in the environment. spawn-fcgi makes the socket, multiwatch keeps the workers running; for
# apache-fcgid Apache does both, and hands nothing on: there the settings are written into a file.
# shellcheck shell=bash disable=SC2154

pool='' web=''
alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# Each child gets a process group of its own: Ctrl-C reaches this shell only, which ends them in order. With the shell gone
# (kill -9) they end too.
child() { exec setpriv --pdeathsig TERM "${privileges[@]}" "$@"; }

# What multiwatch starts. multiwatch gives up on a child that dies four times within its time limit (-t, ms). That is right
# at the start: bad settings should end the server. Later it would be an outage, so a worker that follows a dead one waits
# longer than the limit before it begins, which also keeps a crash loop from using up a core.
# shellcheck disable=SC2016
worker_script='[ ! -e running ] || sleep 0.2; exec "$0"'

# Called in the folder $run, so that the socket's path is short: 107 bytes are the most.
start_workers() {
	rm -f running fcgi.sock
	child spawn-fcgi -n -s fcgi.sock -M 600 -- \
		/usr/bin/multiwatch -f "$WORKERS" -t 150 -s TERM -- /bin/sh -c "$worker_script" "$worker" &
	pool=$!
	# lighttpd answers 503 while the socket is missing.
	while [ ! -S fcgi.sock ] && alive "$pool"; do nap 0.002; done
}

# The configurations are the examples of deploy/, which take what differs from the environment.
start_web() {
	local address=$listen conf ANKISYNC_LISTEN ANKISYNC_PORT=$port ANKISYNC_SOCKET=$run/fcgi.sock ANKISYNC_SPOOL=$run
	[[ $address != *:* ]] || address="[$address]"
	ANKISYNC_LISTEN=$address
	case $web_kind in
	lighttpd)
		export ANKISYNC_LISTEN ANKISYNC_PORT ANKISYNC_SOCKET=fcgi.sock ANKISYNC_SPOOL
		child lighttpd -D -f - <"$top/deploy/lighttpd.conf" &
		;;
	nginx)
		conf=$(<"$top/deploy/nginx.conf")
		for name in ANKISYNC_{LISTEN,PORT,SOCKET,SPOOL}; do conf=${conf//"$name"/"${!name}"}; done
		printf '%s\n' "$conf" >"$run/nginx.conf"
		# root's nginx would give up its rights to www-data, which does not get at the socket.
		child nginx -p "$run" -c "$run/nginx.conf" -e stderr -g "$([ ${#privileges[@]} != 0 ] || echo 'user root;')" &
		;;
	apache-*)
		local ANKISYNC_MODULES=/usr/lib/apache2/modules ANKISYNC_CONF=$run/ankisync.conf ANKISYNC_WORKER=$worker
		local ANKISYNC_WORKERS=$WORKERS
		export ANKISYNC_{LISTEN,PORT,SOCKET,SPOOL,MODULES,CONF,WORKER,WORKERS}
		write_settings "$ANKISYNC_CONF"
		child apache2 -d "$run" -f "$top/deploy/$web_kind.conf" -DFOREGROUND &
		;;
	esac
	web=$!
}

# write_settings FILE: every key of ankisync.conf that the environment has.
write_settings() {
	local key
	while read -r key; do
		[ -z "${!key+set}" ] || printf '%s = %s\n' "$key" "${!key}"
	done < <(sed -n 's/^#\([A-Z_]*\) =.*/\1/p' "$top/deploy/ankisync.conf") >"$1"
}

# Sleeps without a process.
exec {nap_fd}<> <(:)
nap() { read -rt "$1" -u "$nap_fd" || true; }

# reach: opens descriptor $http to the port.
reach() {
	local address=$listen
	case $address in 0.0.0.0) address=127.0.0.1 ;; ::) address=::1 ;; esac
	{ exec {http}<>"/dev/tcp/$address/$port"; } 2>/dev/null
}

# answers: a request reached a worker.
answers() {
	local line=
	reach || return 1
	printf 'GET /health HTTP/1.0\r\n\r\n' >&"$http"
	read -rt 20 -u "$http" line || true
	exec {http}>&-
	[[ $line == HTTP/* && $line != *\ 50[0234]\ * ]]
}

# need_free_port: ends the script if somebody listens there.
need_free_port() {
	local hex inode pid=''
	reach || return 0
	exec {http}>&-
	printf -v hex ':%04X' "$port"
	inode=$(awk -v p="$hex\$" '$2 ~ p && $4 == "0A" { print $10; exit }' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
	# Else it was somebody beyond this machine, and the web server will say that the address is not ours.
	[ -n "$inode" ] || return 0
	pid=$(find /proc/[0-9]*/fd -lname "socket:\\[$inode\\]" 2>/dev/null | head -n 1 | cut -d/ -f3)
	die "port $port of $listen is taken${pid:+ by $(cat "/proc/$pid/comm"), process $pid}; choose another one${port_hint:-}"
}

# Returns once the server answers; 1 if it does not come up.
supervise_start() {
	trap 'supervise_stop; exit 0' TERM INT HUP
	cd "$run" || return 1
	SECONDS=0
	set -m
	[ "$web_kind" = apache-fcgid ] || start_workers
	start_web
	set +m
	until answers; do
		if { [ -n "$pool" ] && ! alive "$pool"; } || ! alive "$web" || ((SECONDS > 60)); then
			supervise_stop
			return 1
		fi
		nap 0.005
	done
	: >running
}

# Runs until something ends, which it should not.
supervise_wait() {
	local ended=
	# shellcheck disable=SC2086
	wait -n -p ended $pool $web || true
	case $ended in
	"$web") say "${0##*/}: the web server ended" ;;
	*) say "${0##*/}: the workers ended" ;;
	esac
	supervise_stop
	exit 1
}

# A worker finishes the request it is at; what is not gone after 8 s is killed.
supervise_stop() {
	local i pid
	trap '' TERM INT HUP
	for pid in $web $pool; do kill -TERM "$pid" 2>/dev/null || true; done
	for ((i = 1; i < 400; i++)); do
		alive "$web" || alive "$pool" || break
		nap 0.02
		# A worker that multiwatch has just forked may have missed it.
		((i % 25)) || signal_groups TERM
	done
	signal_groups KILL
	rm -f "$run/running" "$run/fcgi.sock"
}
signal_groups() {
	local pid
	for pid in $web $pool; do kill -s "$1" -- "-$pid" 2>/dev/null || true; done
}
