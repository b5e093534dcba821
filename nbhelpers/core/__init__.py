"""What every stage needs: the contract of a recommender, sparse rows, top-k, padding."""
