"""A blind test for a human reader: which of these radiographs are real, which synthetic?

`study` draws the images and makes the key, `page` renders the page that asks, `answers` parses what a reader saved,
`scoring` compares that with the key, `results` has the types of the scores, and `tables` shows them. Nothing here
needs a network of either kind, or opens a file: `gather` reads the pixels, the key and the answers.
"""
