"""Which shape every part of a formula has."""
