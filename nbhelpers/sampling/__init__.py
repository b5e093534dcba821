"""From interactions to batches: negatives, candidates, streaming."""
