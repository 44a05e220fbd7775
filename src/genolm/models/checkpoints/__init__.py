"""Model folders and hubs: find, download, load, describe, convert and save."""
