"""What `s2v generate` reads and writes, checked before anything is computed."""

from s2v_ray.storage.own_folders import check_not_input, check_not_special
from s2v_ray.training.checkpoint_files import file_locations, find_checkpoint


def check_generate_files(checkpoint: str, image: str, sound: str, out: str) -> None:
    """Raise UserError if `out` is one of the inputs, by whatever name, or if an input is a pipe or a device."""
    check_not_input(out, "--out", {"--image": image, "--sound": sound})
    for flag, location in (("--image", image), ("--sound", sound)):
        check_not_special(location, flag)
    for file in file_locations(find_checkpoint(checkpoint)):
        check_not_input(out, "--out", {"the checkpoint's": file})
