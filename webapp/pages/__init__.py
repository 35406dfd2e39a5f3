"""What the HTML pages show, as plain values made from the tree. Pure; views and templates render it."""
