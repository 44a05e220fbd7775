"""What is measured of generated DNA: genes, spectra, repeats, novelty; and natural and Markov sequence beside it."""
