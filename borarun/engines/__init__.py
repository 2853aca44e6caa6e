"""Engines: a folder for each program, with all that borarun knows of it. ``registry`` lists them.

Importing this loads nothing: small programs start from these folders, and must start quickly.
"""
