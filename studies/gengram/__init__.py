"""What does a k-mer memory do for a small Genos? The arms, their training, what is measured, and the report."""
