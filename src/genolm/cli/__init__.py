"""The verbs of the command line: each a thin shell around one function, imported only when it runs."""
