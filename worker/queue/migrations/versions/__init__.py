"""One module a step, in order; none is changed once released."""
