"""What this machine and this process have, use and keep: every part's one way to it."""
