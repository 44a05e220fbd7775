"""Study of k-mer memories in a small Genos model: arms, training, measurements and report."""
