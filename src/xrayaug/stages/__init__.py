"""The commands, one module each: `run(options)`, `plan(options)` for --dry-run, `tables(result)` to show either.

A stage reads artifacts, writes one, and never imports another stage.
"""
