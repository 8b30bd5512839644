"""Learning: the optimizers, the schedules, and the trainer that keeps a run alive."""
