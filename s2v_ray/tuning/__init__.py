"""Hyperparameter sweeps: what is searched and scored, the trials as Optuna keeps them, and the report."""
