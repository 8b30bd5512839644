"""Treatments of the gradient: clipping, the regulariser Ω, and flossing."""
