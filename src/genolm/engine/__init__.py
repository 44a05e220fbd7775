"""One function for all bulk work: windows, batches, forward, parts on disk, one artefact."""
