"""Pictures in files: the only room that knows codecs."""
