"""`s2v merge`."""

from s2v_ray.cli.dataset_text import dataset_result, print_copies, print_dataset, print_next
from s2v_ray.cli.flags import Location
from s2v_ray.cli.result import Result


def merge(*, clips: Location) -> Result:
    """Make one data set of the shards that `s2v prepare --shard` has made: copies, counts, card.

    The same command again changes nothing. While shards are missing, it says which, and counts what is there.

    Args:
        clips: the --out of all the shards.
    """
    from s2v_ray.preparation.shards import numbers_text
    from s2v_ray.recipes.merge import merge_clips

    merged = merge_clips(clips)
    print_copies(merged.copies)
    print_dataset(merged.info, clips)
    result = {"outputs": {"clips": clips}, **dataset_result(merged.info)}
    result |= {"shards": merged.shards, "missing_shards": merged.missing}
    if merged.missing:
        count = len(merged.missing)
        print(f"{count} of {merged.shards} shards are missing or unfinished: {numbers_text(merged.missing)}.")
        print("Next: prepare them, then merge again; until then the data set is not complete.")
        return result
    print(f"Merged {merged.shards} shards." if merged.shards else "All was merged before.")
    return result | {"next": print_next(merged.info, clips)}
