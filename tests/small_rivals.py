"""Discriminators small enough for tests: name -> hyperparameters."""

RIVALS = {
    "srgan": {"features": 4, "dense": 8},
    "grid": {"features": 4},
}
