"""A page → the model that it states: names, roles, shapes, forward equations."""
