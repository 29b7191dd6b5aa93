"""From a checkpoint, a picture and a sound of any length to a video of the whole picture with that sound."""
