"""
What the use cases need from the outside world: narrow protocols, grouped by who uses them.

Each has a real part and a fake. The suites in `bg_pipeline_tests/contracts` run on both.
"""
