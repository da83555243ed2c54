"""Many inputs, many outputs: names, skipping, failures, shards."""
