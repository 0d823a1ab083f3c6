"""A virtual far-field diffraction station: spot lists and frames of grains with known truth.

Axes as in the laboratory of the analysis: x along the beam, z up along the rotation axis, y
completes a right-handed set. Everything else is formulated anew: crossings of the Ewald sphere
are found as numerical roots, rays are cut with the panel by solving for the two panel
coordinates at once.
"""
