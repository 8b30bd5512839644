"""Using a model: measure a text, score sentences, generate."""
