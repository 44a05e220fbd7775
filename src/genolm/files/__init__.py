"""Names and places of files: what the rest of the package needs to know of the operating system."""
