#!/bin/sh
# Makes sure that there is a named, which the lookups of CAA records are tested against: uses one that is there,
# or installs Debian's, or says what to do.
set -eu
if command -v named >/dev/null 2>&1 || [ -x /usr/sbin/named ]; then exit 0; fi
command='apt-get update && apt-get install -y --no-install-recommends bind9'
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing bind9" >&2
	# The tests start servers of their own; the system's need not run.
	sh -c "DEBIAN_FRONTEND=noninteractive RUNLEVEL=1; export DEBIAN_FRONTEND RUNLEVEL; $command" >&2
	[ -x /usr/sbin/named ]
	exit 0
fi
echo "the tests of CAA lookups need named (bind9), and it is not installed. Run:" >&2
echo "    sudo sh -c '$command'" >&2
exit 1
