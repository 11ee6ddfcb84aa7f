#!/bin/sh
# Makes sure that there are ACME clients that nobody here wrote, to paste into what pages say: uses those that are there, or
# installs Debian's, or says what to do.
set -eu
missing=
for client in certbot lego caddy dehydrated uacme; do
	command -v "$client" >/dev/null 2>&1 || missing="$missing $client"
done
if [ -z "$missing" ]; then exit 0; fi
command="apt-get update && apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing$missing" >&2
	# The tests run what they need by themselves; nothing of it need run by the system's clock.
	sh -c "DEBIAN_FRONTEND=noninteractive RUNLEVEL=1; export DEBIAN_FRONTEND RUNLEVEL; $command" >&2
	for client in certbot lego caddy dehydrated uacme; do command -v "$client" >/dev/null; done
	exit 0
fi
echo "keys are tried with ACME clients that are not installed. Run:" >&2
echo "    sudo sh -c '$command'" >&2
exit 1
