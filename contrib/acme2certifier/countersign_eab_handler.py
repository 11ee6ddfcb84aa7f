# -*- coding: utf-8 -*-
"""External account bindings of acme2certifier by the keys of countersign.

acme2certifier verifies a binding itself and asks this handler for the MAC key, when an account is made and again at each request of
it. The handler asks countersign, which must have been told to release them (countersign ca mac-keys release NAME). In acme_srv.cfg:

    [EABhandler]
    eab_handler_module: /opt/countersign/countersign_eab_handler.py
    countersign_url: https://proof.example.org:8444
    countersign_token_file: /etc/acme2certifier/countersign.token
    countersign_cache_file: /var/lib/acme2certifier/countersign.cache

Versions before 0.44 call the first one eab_handler_file. The token is what `countersign ca add` or `countersign ca token` printed; nobody but the user that
runs acme2certifier may read its file. Where the CA has several directories at countersign, no key is given until this one is said:

    countersign_directory: https://ca.example/directory    as `countersign ca list` has it

Further settings, with their defaults and the most that they may be:

    countersign_ca_file: PEM      those who may have issued countersign's certificate, instead of the system's
    countersign_fresh: 30         seconds for which a key is believed without asking (300)
    countersign_cache_age: 3600   seconds for which it is believed while countersign cannot be asked (86400)
    countersign_cache_keys: 1000  how many keys are kept (100000)
    countersign_timeout: 3        seconds for one call (30)

A key that countersign says no to is forgotten at once. While countersign cannot be asked, a key that was good is believed for
countersign_cache_age and no longer than countersign said at the time; after that, and for a key that is not kept, mac_key_get raises,
and acme2certifier refuses the request. So a revocation takes countersign_fresh, or countersign_cache_age in an outage.
Without countersign_cache_file nothing is kept: each request asks, and an outage refuses all of them.

Never set invalid_eabkid_deactivate: acme2certifier takes an outage for a missing key then, and deactivates accounts for good. And leave
acme2certifier's debug log off where others read it: parts of it write MAC keys.

Needs Python 3.7 and its standard library, on a system that has file locks (fcntl).
"""
import calendar
import contextlib
import fcntl
import http.client
import json
import os
import re
import ssl
import stat
import tempfile
import time
import urllib.error
import urllib.request
from urllib.parse import urlencode, urlsplit

try:  # the package of 0.44 and later, or what was there before
    from acme2certifier.acme_srv.helper import load_config
except ImportError:
    from acme_srv.helper import load_config

SECTION = "EABhandler"
KID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
MAC = re.compile(r"[A-Za-z0-9_-]{43,1024}\Z")
TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z\Z")
MOST_ANSWER = 64 << 10
PAUSE = 5.0  # seconds for which countersign is left alone after it could not be asked, where the cache has an answer
NO_SUCH_KEY = "urn:countersign:error:notFound"
WHICH_DIRECTORY = "urn:ietf:params:acme:error:malformed"
NO_RIGHT = ("urn:countersign:error:credentialInvalid", "urn:countersign:error:keysWithheld")


class Unreachable(Exception):
    """countersign cannot be asked, or something else answers in its place."""


class Refused(Exception):
    """countersign gives this CA no keys: its token is not valid, keys are withheld, or it does not say which directory it is."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token goes where the configuration says, and nowhere else."""

    def redirect_request(self, *_args, **_kwargs):
        return None


class EABhandler(object):
    """EAB handler that asks countersign."""

    _asked_in_vain = {}  # by URL: when that was, by the monotonic clock of this process

    def __init__(self, logger: object = None):
        self.logger = logger
        self.url = None
        self.token = None
        self.directory = None
        self.ca_file = None
        self.cache_file = None
        self.fresh = self.cache_age = self.cache_keys = self.timeout = 0

    def __enter__(self):
        """Makes EABhandler a context manager."""
        if not self.url:
            self._config_load()
        return self

    def __exit__(self, *args):
        """Nothing is kept open."""

    def _config_load(self):
        """Load the settings; ValueError for what cannot be."""
        config = load_config(self.logger, SECTION)
        section = config[SECTION] if SECTION in config else {}
        url = section.get("countersign_url", "").rstrip("/")
        parts = urlsplit(url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or parts.username or parts.query or parts.fragment or not (parts.scheme == "https" or parts.scheme == "http" and local):
            raise ValueError("countersign_url must be an https URL")
        if not section.get("countersign_token_file"):
            raise ValueError("countersign_token_file is missing")
        self.token = self._private(section["countersign_token_file"], MOST_ANSWER).decode("ascii").strip()
        if not self.token or any(c <= " " or c > "~" for c in self.token):
            raise ValueError("countersign_token_file must have one token in it")
        self.directory = section.get("countersign_directory") or None
        self.ca_file = section.get("countersign_ca_file") or None
        self.cache_file = section.get("countersign_cache_file") or None
        self.fresh = _number(section, "countersign_fresh", 30, 300)
        self.cache_age = _number(section, "countersign_cache_age", 3600, 86400)
        self.cache_keys = _number(section, "countersign_cache_keys", 1000, 100000)
        self.timeout = _number(section, "countersign_timeout", 3, 30)
        self.url = url

    def mac_key_get(self, kid: str = None) -> str:
        """The MAC key of a key identifier in base64url; None if there is none. Raises if nobody can know."""
        if not isinstance(kid, str) or not KID.match(kid):
            return None
        now = time.time()
        kept = self._kept(now).get(kid)
        if kept and now - kept["at"] < self.fresh:
            return kept["mac"]
        try:
            if kept and time.monotonic() - self._asked_in_vain.get(self.url, -PAUSE) < PAUSE:
                raise Unreachable("asked in vain a moment ago")
            mac, until = self._ask(kid)
        except Unreachable as err:
            if not kept:
                self.logger.error("countersign cannot be asked about %s, and nothing is kept of it: %s", kid, err)
                raise
            self.logger.warning("countersign cannot be asked about %s; what it said %d seconds ago is taken: %s", kid, now - kept["at"], err)
            return kept["mac"]
        except Refused as err:
            self.logger.error("%s", err)
            self._keep(now, None)
            raise
        self._keep(now, kid, mac, until)
        return mac

    def _ask(self, kid):
        """(MAC key, until when it may be kept), or (None, None) if there is none."""
        request = urllib.request.Request(
            "%s/v1/eab/keys/%s/mac%s" % (self.url, kid, "?" + urlencode({"directory": self.directory}) if self.directory else ""),
            headers={"Authorization": "Bearer " + self.token, "Accept": "application/json"},
        )
        opener = urllib.request.build_opener(
            _NoRedirect, urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.ca_file))
        )
        status, body = 0, b""
        try:
            with opener.open(request, timeout=self.timeout) as answer:
                status, body = answer.status, answer.read(MOST_ANSWER + 1)
        except urllib.error.HTTPError as err:
            with err:
                self._refusal(err)
        except (OSError, http.client.HTTPException) as err:
            self._asked_in_vain[self.url] = time.monotonic()
            raise Unreachable(str(err)) from None
        self._asked_in_vain.pop(self.url, None)
        if status == 200:
            return _released(kid, body)
        return None, None

    def _refusal(self, err):
        """Takes a no for one only if it is countersign's: a proxy has a 404 of its own."""
        try:
            kind = _object(err.read(MOST_ANSWER + 1)).get("type") if err.headers.get_content_type() == "application/problem+json" else None
        except (OSError, http.client.HTTPException, ValueError):
            kind = None
        if err.code == 404 and kind == NO_SUCH_KEY:
            return
        if kind in NO_RIGHT:
            raise Refused("countersign gives no MAC keys: %s" % kind.rpartition(":")[2]) from None
        if err.code == 400 and kind == WHICH_DIRECTORY:
            raise Refused("countersign gives no MAC keys before it knows the directory: set countersign_directory to one that `countersign ca list` has") from None
        self._asked_in_vain[self.url] = time.monotonic()
        raise Unreachable("status %d" % err.code) from None

    @staticmethod
    def _private(path, most):
        """What is in a file that nobody else can read; ValueError if others can."""
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode) or info.st_uid not in (os.geteuid(), 0) or info.st_mode & 0o077:
                raise ValueError("%s must be a file of this user that nobody else can read" % path)
            text = file.read(most + 1)
            if len(text) > most:
                raise ValueError("%s is too large" % path)
            return text

    def _kept(self, now):
        """What is kept and may still be believed, by kid. What is odd in the file is nothing."""
        if not self.cache_file:
            return {}
        try:
            file = _object(self._private(self.cache_file, (self.cache_keys + 1) << 11))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as err:
            self.logger.error("the kept keys are not believed: %s", err)
            return {}
        keys = file.get("keys")
        if file.get("url") != self.url or file.get("directory") != self.directory or not isinstance(keys, dict):
            return {}
        return {kid: k for kid, k in keys.items() if _believable(k) and 0 <= now - k["at"] < self.cache_age and now < k["until"]}

    def _keep(self, now, kid, mac=None, until=0):
        """Keeps a key or forgets it; without kid forgets all. What cannot be written is a pity and no reason to refuse."""
        if not self.cache_file:
            return
        try:
            with self._locked():
                keys = self._kept(now) if kid else {}
                if mac:
                    keys[kid] = {"mac": mac, "at": now, "until": until}
                elif kid and kid not in keys:
                    return
                else:
                    keys.pop(kid, None)
                newest = sorted(keys, key=lambda k: keys[k]["at"])[-self.cache_keys:]
                self._write({"url": self.url, "directory": self.directory, "keys": {k: keys[k] for k in newest}})
        except OSError as err:
            self.logger.error("what countersign said cannot be kept: %s", err)
            if not mac:  # what must be forgotten is not to be left lying there
                with contextlib.suppress(OSError):
                    os.unlink(self.cache_file)

    @contextlib.contextmanager
    def _locked(self):
        """One process at a time changes the file."""
        fd = os.open(self.cache_file + ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _write(self, content):
        """Puts a new file of mode 0600 in place as a whole."""
        fd, path = tempfile.mkstemp(prefix=".countersign-", dir=os.path.dirname(os.path.abspath(self.cache_file)))
        try:
            with os.fdopen(fd, "w", encoding="ascii") as file:
                json.dump(content, file)
            os.replace(path, self.cache_file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise


def _number(section, name, default, most):
    """A setting that is a whole number from 1 to most."""
    text = section.get(name) or str(default)
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise ValueError("%s must be a whole number from 1 to %d" % (name, most))
    return int(text)


def _object(text):
    """A JSON object; ValueError for anything else."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _believable(k):
    """Whether something in the cache file is what was put there."""
    return (
        isinstance(k, dict)
        and isinstance(k.get("mac"), str)
        and bool(MAC.match(k["mac"]))
        and all(isinstance(k.get(name), (int, float)) and not isinstance(k[name], bool) for name in ("at", "until"))
    )


def _released(kid, body):
    """Reads countersign's answer about a key that is good."""
    try:
        answer = _object(body)
        mac = answer["hmac_key"]
        until = TIME.match(answer["recheck_after"])
        if answer["kid"] != kid or not MAC.match(mac) or not until:
            raise ValueError("another key")
    except (KeyError, TypeError, ValueError):
        raise Unreachable("an answer that is not countersign's") from None
    return mac, calendar.timegm(time.strptime(until.group(1), "%Y-%m-%dT%H:%M:%S"))
