"""What a person sees of a recommender."""
