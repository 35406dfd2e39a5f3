"""What is asked, one module or folder for each peer; each runs in a child of its own."""
