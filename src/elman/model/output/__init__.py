"""Output layers: from h to the loss of the next token, and back."""
