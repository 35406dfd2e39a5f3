"""What people said of the answers that the fleet read, in a file of the page's own."""
