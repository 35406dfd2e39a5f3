"""What the HTML pages show, as plain values made from the tree: tables, cells, marks. Pure; views render it."""
