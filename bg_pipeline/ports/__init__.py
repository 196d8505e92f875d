"""
The needs of the use cases from the outside world: narrow protocols, grouped by their users.

Each has a real implementation and a fake. The suites in `bg_pipeline_tests/contracts` run on both.
"""
