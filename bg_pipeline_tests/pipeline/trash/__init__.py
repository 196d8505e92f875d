"""The trash: cutouts of pictures that are gone."""
