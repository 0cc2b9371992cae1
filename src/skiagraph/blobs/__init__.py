"""Where the bytes of Instances are kept."""
