"""`webapp alerts`, `webapp annotate`: who types them, and what they do."""
