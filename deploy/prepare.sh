# Installs the packages that are missing, and builds. Sourced by deploy/quickstart, tests/serve and tests/run, so that
# there is one list of packages and one way to build. Debian 12 and newer, Ubuntu 22.04 and newer.
# shellcheck shell=bash disable=SC2034

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

packages_build=(autoconf automake gcc libc6-dev make pkg-config protobuf-c-compiler
	libarchive-dev libargon2-dev libfcgi-dev libinih-dev libjson-c-dev libprotobuf-c-dev libsqlite3-dev libssl-dev
	libutf8proc-dev libzstd-dev zlib1g-dev)
# Where it is to be had, uploads of old clients are unpacked three times as fast.
[[ $HOSTTYPE != @(x86_64|aarch64) ]] || packages_build+=(libisal-dev)
packages_serve=(lighttpd multiwatch spawn-fcgi)
packages_test=(libcmocka-dev python3 python3-venv xz-utils)
packages_web=(apache2 libapache2-mod-fcgid nginx)

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "not root, and there is no sudo. As root: $*"
	fi
}

# install_packages NAME...: those that are missing, without starting any service that they bring: we use the programs only,
# and three web servers would quarrel about port 80.
install_packages() {
	local missing=() name installed policy=/usr/sbin/policy-rc.d made_policy='' rc=0
	# shellcheck disable=SC2016
	installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null) || true
	for name in "$@"; do
		[[ $'\n'$installed$'\n' == *$'\n'"$name installed"$'\n'* ]] || missing+=("$name")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	command -v apt-get >/dev/null || die "please install (there is no apt-get here): ${missing[*]}"
	say "installing ${missing[*]}"
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
		made_policy=1
	fi
	quietly as_root apt-get update -q &&
		quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" ||
		rc=1
	[ -z "$made_policy" ] || as_root rm -f "$policy"
	[ $rc = 0 ] || die "could not install: ${missing[*]}"
	for name in "${missing[@]}"; do
		case $name in
		lighttpd | nginx | apache2)
			! command -v systemctl >/dev/null || as_root systemctl disable --quiet "$name" 2>/dev/null || true
			;;
		esac
	done
}

# quietly COMMAND...: its output only if it fails.
quietly() {
	local out rc=0
	out=$(mktemp)
	"$@" >"$out" 2>&1 </dev/null || rc=$?
	[ $rc = 0 ] || tail -n 60 "$out" >&2
	rm -f "$out"
	return $rc
}

# is_built DIR: worker and admin command are there, and no source is newer than the last build. Forks nothing: a server
# that is started for each of a hundred tests asks this each time.
is_built() {
	local f
	[ -x "$1/fcgi/ankisync.fcgi" ] && [ -x "$1/admin/ankisync-admin" ] && [ -e "$1/.built" ] || return 1
	for f in "$top"/{base,format,storage,core,fcgi,admin}/* "$top/configure.ac" "$top/Makefile.am"; do
		[ ! "$f" -nt "$1/.built" ] || return 1
	done
}

# build DIR [CONFIGURE OPTION...]: brings the build folder DIR up to date; one that was configured without one of the options
# is made anew. Two at a time wait for each other.
build() (
	umask 022 # callers shut their data to others; what is built must be executable for the workers' user
	mkdir -p "$1"
	cd "$1" || exit 1
	shift
	exec 9>.lock
	flock 9
	stamp=$(mktemp .stamp.XXXXXX)
	if [ ! -e "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ]; then
		quietly "$top/autogen.sh" || die "autogen.sh failed"
	fi
	for option in "$@"; do
		[ ! -e config.status ] || [[ $(./config.status --config) == *"$option"* ]] || quietly make -s distclean
	done
	[ -e Makefile ] || quietly "$top/configure" -q "$@" || die "configure failed (in $PWD)"
	quietly make -s -j"$(nproc)" all || die "the build failed (in $PWD)"
	mv "$stamp" .built
)
