"""How far a fit is followed away from the pretrained forecast."""
