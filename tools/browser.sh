#!/bin/sh
# Makes sure that there is a Chromium to drive: uses the one that is there, or
# installs Debian's, or says what to do.
set -eu
for name in chromium chromium-browser google-chrome; do
	if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ -n "${CHROME_PATH:-}" ] && [ -x "$CHROME_PATH" ]; then exit 0; fi
command='apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core'
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing chromium" >&2
	sh -c "DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; $command" >&2
	command -v chromium >/dev/null
	exit 0
fi
echo "the browser tests need Chromium, and it is not installed. Run:" >&2
echo "    sudo sh -c '$command'" >&2
echo "or set CHROME_PATH to a Chromium that is there." >&2
exit 1
