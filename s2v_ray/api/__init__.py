"""The verbs as functions that return what they found, and a model that is kept: what `import s2v_ray` offers.

`s2v_ray/__init__.py` lists the names, and imports the file of one when it is used first.
"""
