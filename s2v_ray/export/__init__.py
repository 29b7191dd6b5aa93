"""A model as a folder to share: its card, its graph for ONNX, its way to a hub."""
