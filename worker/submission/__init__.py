"""What people submit from outside, carried out by a supervisor's child: which sources, and their listing."""
