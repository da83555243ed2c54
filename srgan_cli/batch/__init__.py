"""Many inputs, many outputs: naming, skipping, failures, shards."""
