"""A page → the model that it states: names, shapes, forward equations, letters for derivatives, roles."""
