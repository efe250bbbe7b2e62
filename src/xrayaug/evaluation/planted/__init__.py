"""Planted controls: what a study says of a gain, a leak or a copy that was put into copies of what it judged.

A check that passes shows something only if it would have failed. `gains` moves scores in copies of the predictions,
`leaks` and `copies` change copies of what the audits of images read; nothing of a dataset, a run or the evaluation
itself changes. Each is repeated, and how often it was found, and how often something was found where nothing was
planted, are the results.
"""
