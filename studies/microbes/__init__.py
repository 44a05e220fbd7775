"""What two small models of microbes can do on species that they never saw."""
