"""Right cutouts that are drawn, and what can be wrong with an answer."""
