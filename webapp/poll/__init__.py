"""The one poll a minute, and the files in which all processes share what it found."""
