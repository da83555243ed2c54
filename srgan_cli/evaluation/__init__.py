"""Networks x images -> figures."""
