"""What a paper on a study needs: reporting checklists, a methods text, a flow diagram, and the images that fail.

`facts` are collected by `gather.paper_facts`; everything here is written from them and from the evaluation alone.
"""
