"""Image files: read, written, and what each format holds."""
