"""From a name to verified files in the cache, whatever goes wrong on the way."""
