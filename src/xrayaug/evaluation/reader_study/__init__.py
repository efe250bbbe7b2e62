"""A blind test for a human reader: which of these radiographs are real, which synthetic?

`study` draws the images and keeps the key, `page` makes the page that asks, `answers` reads what a reader saved, and
`scoring` holds that to the key. Nothing here needs a network, of either kind.
"""
