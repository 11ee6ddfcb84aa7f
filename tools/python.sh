#!/bin/sh
# Makes sure that there is a Python 3 to try the handler of contrib/acme2certifier with.
set -eu
if command -v python3 >/dev/null 2>&1; then exit 0; fi
command='apt-get update && apt-get install -y --no-install-recommends python3'
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing python3" >&2
	sh -c "$command" >&2
	command -v python3 >/dev/null
	exit 0
fi
echo "the handler for acme2certifier is tried with Python 3, which is not installed. Run:" >&2
echo "  sudo sh -c '$command'" >&2
exit 1
