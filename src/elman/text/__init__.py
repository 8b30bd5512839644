"""Text → tokens → batches. Knows nothing of networks."""
