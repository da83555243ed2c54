"""Pages for a browser, one self-contained file each: a before/after slider and an opinion study."""
