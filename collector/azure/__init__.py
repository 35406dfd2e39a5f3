"""What Azure is asked about: names in the settings, and the calls that they take."""
