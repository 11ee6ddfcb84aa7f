"""A double of acme2certifier's module of that name: what its EAB handlers import from it."""
import configparser
import os


def load_config(logger=None, mfilter=None):
    """Reads acme_srv.cfg as acme2certifier does: a ConfigParser without interpolation."""
    config = configparser.ConfigParser(interpolation=None, strict=False)
    config.read(os.environ["ACME_SRV_CONFIGFILE"], encoding="utf8")
    return config
