"""Clips in the files of other formats."""

from typing import Literal

Format = Literal["webdataset", "lance"]
