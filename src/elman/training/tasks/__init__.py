"""The synthetic tasks of the literature: their sequences, and each as a problem to train on."""
