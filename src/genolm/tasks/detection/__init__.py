"""Detection of generated DNA: samples, folds by genome, features, classifier, evaluation."""
