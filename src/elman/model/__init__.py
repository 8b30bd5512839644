"""The mathematics: parameters, forward, backward, and the reference. No files, no text, no printing."""
