"""Models and baselines that predict a rating or a score."""
