"""The parts of ``detect``: samples, folds by genome, features, the classifier, its evaluation and its folder."""
