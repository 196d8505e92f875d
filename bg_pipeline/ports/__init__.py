"""
Narrow protocols for everything that use cases need from outside, grouped by subject.

Each has a real implementation and a fake. The suites in `bg_pipeline_tests/contracts` run on both.
"""
