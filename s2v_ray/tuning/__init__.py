"""What a sweep found: its trials as Optuna keeps them, a verdict, figures and a page."""
