"""What the page knows: the tree of values, how fresh they are, and how well everything is. Pure."""
