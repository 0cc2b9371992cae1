"""Where everything that can be asked about Instances is kept."""
