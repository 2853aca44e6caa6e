"""Running a study: the driver, the workers that do its tasks, and what is seen of them from
outside.
"""
