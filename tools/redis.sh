#!/bin/sh
# Makes sure that there are a redis-server and a redis-cli to test the store
# on: uses those that are there, or installs Debian's, or says what to do.
set -eu
if command -v redis-server >/dev/null 2>&1 && command -v redis-cli >/dev/null 2>&1; then exit 0; fi
command='apt-get update && apt-get install -y --no-install-recommends redis-server redis-tools'
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing redis-server" >&2
	# The tests start servers of their own; the system's need not run.
	sh -c "DEBIAN_FRONTEND=noninteractive RUNLEVEL=1; export DEBIAN_FRONTEND RUNLEVEL; $command" >&2
	command -v redis-server >/dev/null && command -v redis-cli >/dev/null
	exit 0
fi
echo "the tests of the store need redis-server and redis-cli, and they are not installed. Run:" >&2
echo "    sudo sh -c '$command'" >&2
exit 1
