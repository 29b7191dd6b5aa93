"""What `benchmark.py` measures, one file each."""
