"""What the page asks of whoever makes the videos, and how it says what went wrong."""

import sys
import traceback
from collections.abc import Callable, Iterable
from html import escape
from pathlib import PurePath

import numpy as np

from s2v_ray.errors import UserError
from s2v_ray.generation.region import Region
from s2v_ray.generation.video import Options

OnProgress = Callable[[float, str], None]  # gets the part done, 0..1, and a text; what it raises ends the work
# Makes a video: the model's name, the image's and the sound's path, the path to write (.mp4), and how. Raises UserError
# for what can't be made, and whatever `OnProgress` raises.
Make = Callable[[str, str, str, str, Options, OnProgress], None]
# Finds the square that moves: the model's name, the image's path, and a region ("auto", "centre" or "x,y,size"); gives
# the picture, uint8 RGB [H, W, 3], too. Raises UserError.
Locate = Callable[[str, str, str], tuple[np.ndarray, Region]]


class Cancelled(Exception):  # noqa: N818 - no error
    """The user has asked to stop."""


def in_words(error: Exception, paths: Iterable[str] = ()) -> str:
    """What to tell the user of an error: a UserError's sentence, in which `paths` lose their folders.

    Of any other the traceback goes to the terminal, and the user gets a sentence that says so.
    """
    if not isinstance(error, UserError):
        traceback.print_exception(error, file=sys.stderr)
        return "Something went wrong that should not have; the terminal in which the page was started says what."
    sentence = str(error)
    for path in paths:
        sentence = sentence.replace(path, PurePath(path).name)
    return sentence


def message(text: str, *, alert: bool = False) -> str:
    """A sentence as HTML; screen readers say it, an alert at once."""
    return f'<p class="s2v-message" role="{"alert" if alert else "status"}">{escape(text)}</p>'
