"""Report of scored variants as one self-contained HTML page."""
