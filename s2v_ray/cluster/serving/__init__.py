"""The generator behind HTTP: the interface (`http`, `order`, `problems`) without Ray, and Ray Serve around it."""
