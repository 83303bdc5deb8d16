"""The supplement: the rendered notebooks, figures and tables as one static site that works from a folder, offline.

`python -m helpers.supplement` writes it to `notebooks/supplement/`; start reading at its `index.html`. Everything comes
from committed results (`notebooks/rendered/`, `figures/`, the records behind the README); nothing is trained or drawn.
"""
