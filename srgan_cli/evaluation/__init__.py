"""Networks x pictures -> figures."""
