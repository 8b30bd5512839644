"""Using a trained model: measure a text, score sentences, generate text."""
