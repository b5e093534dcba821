"""Wrong but plausible answers to the exercises, a module for each notebook.

``wrong_NAME.py`` holds ``WRONG``: for the name of each stub two answers or more that its check must
refuse. Where a check needs more than the notebook's imports, functions and classes, ``context()``
gives it, small or real.
"""
