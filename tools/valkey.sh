#!/bin/sh
# Runs a command with Valkey in the place of Redis: a folder whose redis-server and redis-cli lead to it is put first in PATH.
set -eu
server=$(command -v "${VALKEY:-valkey-server}" || true)
if [ -z "$server" ]; then
	echo "there is no ${VALKEY:-valkey-server}: install Valkey, or name its server: make valkey VALKEY=/path/to/valkey-server" >&2
	exit 1
fi
server=$(cd "$(dirname "$server")" && pwd)/$(basename "$server") # not what that is a link to: the program goes by its name
cli=$(dirname "$server")/valkey-cli
case $("$server" --version) in
Valkey*) ;;
*) echo "$server is not Valkey: $("$server" --version)" >&2; exit 1 ;;
esac
if [ ! -x "$cli" ]; then
	echo "there is no valkey-cli beside $server" >&2
	exit 1
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ln -s "$server" "$dir/redis-server"
ln -s "$cli" "$dir/redis-cli"
"$server" --version
PATH=$dir:$PATH "$@"
