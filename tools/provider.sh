#!/bin/sh
# Installs the OpenID provider that the tests log in at, as e2e/provider/package-lock.json pins
# it, or says what is missing.
set -eu
cd "$(dirname "$0")/../e2e/provider"
if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
	echo "the tests of logins need Node.js 20 or later and npm, and they are not installed." >&2
	exit 1
fi
if [ -f node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ]; then exit 0; fi
echo "installing the OpenID provider of the tests" >&2
npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2
touch node_modules/.package-lock.json
