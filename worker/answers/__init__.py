"""What an answer says about itself beyond its SMILES: how sure it is, and what about it is odd. All pure."""
