"""Does with an EAB handler what acme2certifier 0.46 does with it, one question a line: {"now": seconds, "do": …, "kid": …, "jws": …}.

"verify" is Account._eab_verify: the kid of the inner header, mac_key_get, and the MAC over the JWS; an exception is left to the web server.
"check" is Message._eab_mac_key_exists at each request of an account: an exception is a key that does not exist.
"""
import base64
import hashlib
import hmac
import importlib.util
import json
import logging
import sys
import time


def load(path):
    """As helpers/plugin_loader does for a file."""
    spec = importlib.util.spec_from_file_location("EABhandler", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["EABhandler"] = module
    spec.loader.exec_module(module)
    return module


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(handler, logger, jws):
    kid = json.loads(decode(jws["protected"])).get("kid")
    with handler(logger) as eab_handler:
        mac_key = eab_handler.mac_key_get(kid)
    if not mac_key:
        return "eab kid lookup failed"
    signed = (jws["protected"] + "." + jws["payload"]).encode()
    if not hmac.compare_digest(hmac.new(decode(mac_key), signed, hashlib.sha256).digest(), decode(jws["signature"])):
        return "eab signature verification failed"
    return "good"


def check(handler, logger, kid):
    try:
        with handler(logger) as eab_handler:
            return bool(eab_handler.mac_key_get(kid))
    except Exception as err:
        logger.error("EAB handler error: %s", err)
        return False


def main():
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG)
    logger = logging.getLogger("acme2certifier")
    handler = load(sys.argv[1]).EABhandler
    monotonic = time.monotonic
    for line in sys.stdin:
        question = json.loads(line)
        time.time = lambda: question["now"]
        time.monotonic = lambda: monotonic() + question["now"]
        try:
            if question["do"] == "verify":
                answer = verify(handler, logger, question["jws"])
            elif question["do"] == "check":
                answer = check(handler, logger, question["kid"])
            else:
                with handler(logger) as eab_handler:
                    answer = eab_handler.mac_key_get(question["kid"])
        except Exception as err:
            answer = "raised " + type(err).__name__
        print(json.dumps(answer), flush=True)


main()
