"""What a model is for: lists of items for a user, and look-ups among vectors."""
