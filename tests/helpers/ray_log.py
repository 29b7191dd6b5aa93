"""What Ray prints."""


def of_a_cluster_by_itself(log: str) -> str:
    """The log without what Ray only tells where several of its clusters, or several nodes, are on one machine.

    Nodes share their logs, and each tells them; and Ray tells of the Ray of other tests beside it, and with a traceback
    where that, or too much work, keeps it from finding out whether a training's controller lives.
    """
    beside = ("[repeated", "Found multiple active Ray instances", "(PlacementGroupCleaner pid=")
    return "\n".join(line for line in log.splitlines() if not any(phrase in line for phrase in beside))
