"""Films on their way out: segments made of an index and a file, without the handler."""
