"""What Ray prints."""


def without_rays_own(log: str) -> str:
    """The log without what Ray tells of the machine and of its own helpers.

    Nodes on one machine share their logs, and each tells them; a full disk and too little memory are told by Ray; and
    too much work keeps it from finding out whether a training's controller lives, which it tells with a traceback.
    """
    rays_own = ("[repeated", "(raylet", "(PlacementGroupCleaner pid=")
    return "\n".join(line for line in log.splitlines() if not any(phrase in line for phrase in rays_own))
