"""A model as a folder that travels: its card, its graph for ONNX, its way to a hub."""
