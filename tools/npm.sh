#!/bin/sh
# Installs what the tests take from npm into a folder of e2e, as its package-lock.json pins it, or says what
# is missing: npm.sh FOLDER.
set -eu
cd "$(dirname "$0")/../e2e/$1"
if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
	echo "the tests of logins and of pages need Node.js 20 or later and npm, and they are not installed." >&2
	exit 1
fi
if [ -f node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ]; then exit 0; fi
echo "installing e2e/$1" >&2
npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2
touch node_modules/.package-lock.json
