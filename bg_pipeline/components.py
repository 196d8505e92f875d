"""
Catalogues and accounts for projects of Dagster that install this package.

`dg` lists the classes in this module, and a `defs.yaml` names them: `type: bg_pipeline.components.Catalogue`.
"""

from bg_pipeline.orchestration.build import build
from bg_pipeline.orchestration.components import Account, Catalogue

__all__ = ["Account", "Catalogue", "build"]
