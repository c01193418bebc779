"""The parts of the page that `launch.report` makes, one idea a file.

Each gives HTML in which all text of a run is escaped: a workdir may come from anyone.
"""
