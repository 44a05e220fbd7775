"""What users ask of a model, one thing a file: each is a task of the engine and a public function."""
