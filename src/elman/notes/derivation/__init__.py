"""Derivations: the forward equations of a page, and the text of its gradients."""
