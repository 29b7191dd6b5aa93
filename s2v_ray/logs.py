"""How much other libraries may log: little, since a verb says itself what matters, unless --verbose asks for it."""

import logging


def library_level(usual: int) -> int:
    """INFO where the logger `s2v_ray` is enabled for it, as --verbose does; otherwise `usual`."""
    return logging.INFO if logging.getLogger("s2v_ray").isEnabledFor(logging.INFO) else usual
