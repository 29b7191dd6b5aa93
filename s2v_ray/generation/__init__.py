"""From a checkpoint, a picture and a sound of any length to a video of the whole picture with that sound."""

from s2v_ray.generation.video import Generated, Generator, Options, generate, load_generator, make_video

__all__ = ["Generated", "Generator", "Options", "generate", "load_generator", "make_video"]
