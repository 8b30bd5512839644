"""The shape of every part of a formula."""
