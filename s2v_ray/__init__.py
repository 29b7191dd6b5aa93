"""Make a video from one picture and any sound, with a model trained on your own folder of videos."""

__version__ = "0.1.0"
