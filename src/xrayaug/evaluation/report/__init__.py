"""An evaluation as one page to read: what was found, what it stands on, and how it was made.

`evidence` gathers what lies in the artifacts behind the runs, `lineage` the commands that made them; `figures` draws,
`page` lays it all out. Nothing here computes a score: the numbers are the evaluation's own.
"""
